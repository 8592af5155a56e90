import { describe, expect, it } from "vitest";
import { newBuildEnv } from "./build-env.ts";
import { formatEnviron, parseEnviron } from "./environ.ts";
import { newLaunchEnv } from "./launch-env.ts";

describe("parseEnviron", () => {
  it("keeps empty values and values with =, and the first of several", () => {
    expect([...parseEnviron(["A=", "B=x=y", "nonsense", "A=later"])]).toEqual([
      ["A", ""],
      ["B", "x=y"],
    ]);
  });
});

it("formatEnviron leaves out what is not set", () => {
  expect(formatEnviron({ A: "", B: "x=y", C: undefined })).toEqual(["A=", "B=x=y"]);
});

describe("newBuildEnv", () => {
  it("keeps what buildpacks inherit and nothing else", () => {
    const environ = ["CNB_STACK_ID=s", "HOSTNAME=h", "HOME=/h", "https_proxy=p", "NO_PROXY=n", "CPATH=/c", "PATH=/p"];
    const secret = ["CNB_REGISTRY_AUTH={}", "CNB_PLATFORM_API=0.13", "FOO=bar", "path=/x"];
    expect(newBuildEnv([...secret, ...environ]).list()).toEqual(environ);
  });
});

describe("newLaunchEnv", () => {
  it("drops what is meant for the launcher and keeps everything else", () => {
    const dropped = ["LAYERS_DIR", "APP_DIR", "PROCESS_TYPE", "PLATFORM_API", "DEPRECATION_MODE"].map(
      (name) => `CNB_${name}=x`,
    );
    const kept = ["CNB_EXEC_ENV=test", "CNB_STACK_ID=s", "FOO=", "BPL_X=1"];
    expect(newLaunchEnv([...dropped, ...kept], "/cnb/process", "/cnb/lifecycle").list()).toEqual(kept);
  });

  it.each([
    ["/cnb/process:/cnb/lifecycle:/usr/bin:/bin", "/usr/bin:/bin"],
    ["/usr/bin:/cnb/process", "/usr/bin"],
    ["/cnb/process", ""],
    ["/cnb/process/:/a::/b", "/cnb/process/:/a::/b"],
  ])("takes its own directories out of PATH %s", (path, expected) => {
    expect(newLaunchEnv([`PATH=${path}`], "/cnb/process", "/cnb/lifecycle").list()).toEqual([`PATH=${expected}`]);
  });

  it("does not invent a PATH", () => {
    expect(newLaunchEnv([], "/cnb/process", "/cnb/lifecycle").list()).toEqual([]);
  });
});

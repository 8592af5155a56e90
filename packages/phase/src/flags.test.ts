import { ApiVersion } from "@lifecycle/spec-types";
import { describe, expect, it } from "vitest";
import { parseCommandLine, usageOf } from "./flags.ts";
import { type Environment, inputsFromEnvironment } from "./inputs.ts";

const inputsWith = (env: Environment = {}) => inputsFromEnvironment(ApiVersion.parse("0.13"), env);
const allowed = ["app", "daemon", "layers", "tag", "uid"] as const;

describe("a command line", () => {
  it.each([
    [["-app", "/a", "image"]],
    [["--app", "/a", "image"]],
    [["-app=/a", "image"]],
    [["--app=/a", "--", "image"]],
  ])("takes %j", (argv) => {
    const inputs = inputsWith({ CNB_APP_DIR: "/from-environment" });
    expect(parseCommandLine(argv, allowed, inputs).args).toEqual(["image"]);
    expect(inputs.appDir).toBe("/a");
  });

  it("leaves what no flag sets to the environment, and the rest to the defaults", () => {
    const inputs = inputsWith({ CNB_APP_DIR: "/from-environment", CNB_USER_ID: "7" });
    parseCommandLine(["-uid", "8"], allowed, inputs);
    expect(inputs).toMatchObject({ appDir: "/from-environment", uid: 8, layersDir: "/layers" });
  });

  it("ends its flags at the first argument that is none", () => {
    const inputs = inputsWith();
    expect(parseCommandLine(["image", "-app", "/a"], allowed, inputs).args).toEqual(["image", "-app", "/a"]);
    expect(inputs.appDir).toBe("/workspace");
  });

  it("collects a repeated flag, after what the environment has", () => {
    const inputs = inputsWith({ CNB_INSECURE_REGISTRIES: "a, b," });
    parseCommandLine(["-insecure-registry", "c", "-insecure-registry=d"], ["insecure-registry"], inputs);
    expect(inputs.insecureRegistries).toEqual(["a", "b", "c", "d"]);
  });

  it("takes a boolean without a value, and with one only after an equals sign", () => {
    const inputs = inputsWith({ CNB_USE_DAEMON: "true" });
    expect(parseCommandLine(["-daemon=F", "image"], allowed, inputs).args).toEqual(["image"]);
    expect(inputs.useDaemon).toBe(false);
  });

  it.each([
    ["17", 17],
    ["-1", -1],
    ["1_000", 1000],
    ["0x1F", 31],
    ["0b101", 5],
    ["0o17", 15],
    ["017", 15],
  ])("reads the integer %s as Go does", (text, uid) => {
    const inputs = inputsWith();
    parseCommandLine(["-uid", text], allowed, inputs);
    expect(inputs.uid).toBe(uid);
  });

  it.each([
    [["-bogus"], "flag provided but not defined: -bogus"],
    [["-app"], "flag needs an argument: -app"],
    [["-uid", "root"], 'invalid value "root" for flag -uid: parse error'],
    [["-uid", "1e3"], 'invalid value "1e3" for flag -uid: parse error'],
    [["-uid", "1__0"], 'invalid value "1__0" for flag -uid: parse error'],
    [["-uid", "99999999999999999999"], 'invalid value "99999999999999999999" for flag -uid: value out of range'],
    [["-daemon=perhaps"], 'invalid boolean value "perhaps" for -daemon: parse error'],
    [["---app"], "bad flag syntax: ---app"],
    [["-=x"], "bad flag syntax: -=x"],
  ])("refuses %j", (argv, message) => {
    expect(() => parseCommandLine(argv, allowed, inputsWith())).toThrow(message);
  });
});

describe("the usage", () => {
  it("names flags in order, with type and default", () => {
    expect(usageOf(["uid", "app", "daemon", "tag"], inputsWith())).toBe(
      [
        "Usage of lifecycle:",
        "  -app string",
        '    \tpath to app directory (default "/workspace")',
        "  -daemon",
        "    \texport to docker daemon",
        "  -tag value",
        "    \tadditional tags",
        "  -uid int",
        "    \tUID of user in the stack's build and run images",
        "  -version",
        "    \tshow version",
        "",
      ].join("\n"),
    );
  });

  it("shows the values of a repeatable flag in brackets", () => {
    const inputs = inputsWith({ CNB_INSECURE_REGISTRIES: "a,b" });
    expect(usageOf(["insecure-registry"], inputs)).toContain("insecure registries (default [a b])");
  });
});

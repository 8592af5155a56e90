import type { ExtendArg } from "@lifecycle/spec-types";
import { describe, expect, it } from "vitest";
import { parseDockerfile } from "./parse.ts";
import { type DockerfileKind, validateDockerfile } from "./validate.ts";

function validate(text: string, kind: DockerfileKind, args: readonly ExtendArg[] = []) {
  return validateDockerfile(parseDockerfile(text, `/generated/ext/${kind}.Dockerfile`), kind, args);
}

const start = `ARG base_image\nFROM \${base_image}\n`;

describe("validation of extensions' Dockerfiles", () => {
  it("finds the image that a run.Dockerfile switches to, and whether it extends it", () => {
    expect(validate("FROM other:1\n", "run")).toEqual({ withBase: "other:1", extend: false, warnings: [] });
    expect(validate(`${start}RUN x\n`, "run")).toEqual({ withBase: undefined, extend: true, warnings: [] });
    expect(validate("FROM other:1\nRUN x\n", "run")).toMatchObject({ withBase: "other:1", extend: true });
    expect(validate(start, "run")).toMatchObject({ withBase: undefined, extend: false });
  });

  it.each([
    [`ARG base_image\nFROM $base_image\n`, undefined],
    [`ARG base_image=other\nFROM "\${base_image}"\n`, undefined],
    [`ARG base_image\nFROM \${base_image:-other}\n`, undefined],
    [`ARG registry=r.io tag=1\nARG image=\${registry}/run\nFROM $image:\${tag}\n`, "r.io/run:1"],
    [`ARG given=other\nFROM run:$given\n`, "run:2"],
  ])("takes ARGs into FROM: %j", (text, withBase) => {
    expect(validate(text, "run", [{ name: "given", value: "2" }])).toMatchObject({ withBase });
  });

  it("warns of instructions that are not recommended", () => {
    const text = `${start}ADD a b\nARG a\nCOPY a b\nENV a=b\nLABEL a=b\nRUN x\nSHELL ["x"]\nUSER x\nWORKDIR /x\nEXPOSE 80\nCMD x\n`;
    for (const kind of ["run", "build"] as const) {
      expect(validate(text, kind).warnings).toEqual([
        `${kind}.Dockerfile command EXPOSE on line 12 is not recommended`,
        `${kind}.Dockerfile command CMD on line 13 is not recommended`,
      ]);
    }
  });

  it.each([
    ["build", `FROM \${base_image}\n`, "build.Dockerfile did not start with required ARG command"],
    ["build", `ARG other\nFROM \${base_image}\n`, "build.Dockerfile did not start with required ARG command"],
    [
      "build",
      `ARG base_image\nARG x\nFROM \${base_image}\n`,
      "build.Dockerfile did not start with required ARG command",
    ],
    ["build", "ARG base_image\n", "build.Dockerfile should have at least one stage"],
    ["build", "ARG base_image\nFROM x\n", `build.Dockerfile did not contain required FROM \${base_image} command`],
    ["build", `${start}FROM x\n`, "build.Dockerfile is not permitted to use multistage build"],
    ["run", `${start}FROM x\n`, "run.Dockerfile is not permitted to use multistage build"],
    ["run", "ARG a\nFROM $a\n", "/generated/ext/run.Dockerfile:2: base name ($a) should not be blank"],
    ["run", "FROM ${a\n", "/generated/ext/run.Dockerfile:1: FROM ${a: "],
    ["run", "ARG a\n", "run.Dockerfile should have at least one stage"],
    ["run", "# nothing\n", "run.Dockerfile:1: file with no instructions"],
  ] as const)("refuses a %s.Dockerfile of %j", (kind, text, message) => {
    expect(() => validate(text, kind)).toThrow(message);
  });
});

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { ApiVersion } from "@lifecycle/spec-types";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findDockerfiles } from "./find-dockerfiles.ts";

const TEXT = `ARG base_image\nFROM \${base_image}\n`;

describe("the Dockerfiles of extensions", () => {
  let directory: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "generated-"));
  });

  afterEach(() => rmSync(directory, { recursive: true }));

  function write(path: string, text = TEXT): void {
    mkdirSync(join(directory, dirname(path)), { recursive: true });
    writeFileSync(join(directory, path), text);
  }

  function find(api: string, kind: "build" | "run" = "run") {
    const extensions = ["b/1", "none", "a/2"].map((id) => ({ id, version: "1" }));
    const options = { kind, extensions, platformApi: ApiVersion.parse(api) };
    return findDockerfiles({ ...options, appDir: "/app", generatedDir: directory }).map(
      ({ path, contextDir, args, extensionId }) => [extensionId, path.slice(directory.length), contextDir, args],
    );
  }

  it("come in the order of the group, with their arguments and contexts", () => {
    write("a_2/run.Dockerfile");
    write("a_2/extend-config.toml", '[[run.args]]\nname = "x"\nvalue = "y"\n[[build.args]]\nname = "z"\nvalue = ""\n');
    write("a_2/context/file", "");
    write("b_1/run.Dockerfile");
    write("b_1/build.Dockerfile");
    write("b_1/context.run/file", "");
    expect(find("0.13")).toEqual([
      ["b/1", "/b_1/run.Dockerfile", join(directory, "b_1/context.run"), []],
      ["a/2", "/a_2/run.Dockerfile", join(directory, "a_2/context"), [{ name: "x", value: "y" }]],
    ]);
    expect(find("0.13", "build")).toEqual([["b/1", "/b_1/build.Dockerfile", "/app", []]]);
  });

  it("lie by kind below Platform API 0.13, without contexts of their own", () => {
    write("run/a_2/Dockerfile");
    write("run/a_2/extend-config.toml", '[[run.args]]\nname = "x"\nvalue = "y"\n');
    write("run/a_2/context/file", "");
    write("a_2/run.Dockerfile");
    expect(find("0.12")).toEqual([["a/2", "/run/a_2/Dockerfile", "/app", [{ name: "x", value: "y" }]]]);
  });

  it("are refused if they are none that an extension may have", () => {
    write("a_2/build.Dockerfile", "FROM scratch\n");
    expect(() => find("0.13", "build")).toThrow(
      `${directory}/a_2/build.Dockerfile:1: build.Dockerfile did not start with required ARG command`,
    );
    write("a_2/run.Dockerfile", `${TEXT}FROM second\n`);
    expect(() => find("0.13")).toThrow("run.Dockerfile is not permitted to use multistage build");
    write("a_2/run.Dockerfile");
    write("a_2/extend-config.toml", "[[run.args]\n");
    expect(() => find("0.13")).toThrow("a_2/extend-config.toml");
  });

  it.each(["build_id", "user_id", "group_id"])(
    "must not set %s, whenever extend-config.toml came to say so",
    (name) => {
      write("a_2/run.Dockerfile");
      write("a_2/extend-config.toml", `[[build.args]]\nname = "${name}"\nvalue = "0"\n`);
      expect(() => find("0.13")).toThrow(
        `validating extend config: invalid content: arg with name "${name}" is not allowed (${directory}/a_2/extend-config.toml)`,
      );
    },
  );

  it.each(["context", "context.run"])("have no symlink for their %s", (name) => {
    write("a_2/run.Dockerfile");
    symlinkSync("/", join(directory, "a_2", name));
    const says = `${directory}/a_2/${name} is a symlink; a build context has to be a directory`;
    expect(() => find("0.13")).toThrow(says);
  });

  it("are not waited for if they are pipes", () => {
    write("a_2/other");
    execFileSync("mkfifo", [join(directory, "a_2/run.Dockerfile")]);
    expect(() => find("0.13")).toThrow("not a regular file");
  });
});

import { describe, expect, it } from "vitest";
import { ApiVersion } from "./apis.ts";
import { type LaunchToml, parseLaunchToml } from "./launch-toml.ts";

const parse = (text: string, api: string, warn?: (message: string) => void): LaunchToml =>
  parseLaunchToml(text, "launch.toml", ApiVersion.parse(api), warn);

describe("launch.toml", () => {
  it("before Buildpack API 0.9 has one command, run in a shell unless direct", () => {
    const text =
      "[[processes]]\ntype = 'web'\ncommand = 'run me'\nargs = ['x']\ndefault = true\n[[processes]]\ntype = 'job'\ncommand = 'job'\ndirect = true";
    expect(parse(text, "0.8").processes).toEqual([
      { type: "web", command: ["run me"], args: ["x"], direct: false, default: true },
      { type: "job", command: ["job"], direct: true, default: false },
    ]);
    expect(() => parse("[[processes]]\ntype = 'web'\ncommand = ['run']", "0.8")).toThrow(
      "launch.toml:3:1: processes[0].command: expected a string, found an array",
    );
    expect(() => parse("[[processes]]\ntype = 'web'", "0.8")).toThrow(
      "launch.toml:1:3: processes[0]: command is missing",
    );
  });

  it("from Buildpack API 0.9 on has a command with fixed arguments, always direct", () => {
    const text = "[[processes]]\ntype = 'web'\ncommand = ['run', 'me']\nexec-env = ['test']\nworking-dir = '/srv'";
    expect(parse(text, "0.9").processes).toEqual([
      {
        type: "web",
        command: ["run", "me"],
        direct: true,
        default: false,
        execEnv: ["test"],
        workingDirectory: "/srv",
      },
    ]);
    expect(() => parse(`${text}\ndirect = false`, "0.9")).toThrow(
      "launch.toml:6:1: processes[0].direct: process.direct is not supported on this buildpack version",
    );
    expect(() => parse("[[processes]]\ncommand = 'run'", "0.9")).toThrow("expected an array, found a string");
  });

  it("before Buildpack API 0.8 has no working directory", () => {
    const warnings: string[] = [];
    const text = "[[processes]]\ntype = 'web'\ncommand = 'run'\nworking-dir = '/srv'";
    expect(parse(text, "0.7", (message) => warnings.push(message)).processes[0]).not.toHaveProperty("workingDirectory");
    expect(warnings).toEqual([
      "Warning: process working directory isn't supported in this buildpack api version. Ignoring working directory for process 'web'",
    ]);
    expect(parse(text, "0.8").processes[0]?.workingDirectory).toBe("/srv");
  });

  it("has at most one default process", () => {
    const process = "[[processes]]\ntype = 'web'\ncommand = ['run']\ndefault = true\n";
    expect(() => parse(process + process, "0.10")).toThrow("multiple default process types aren't allowed");
  });

  it("has labels, slices and the legacy bill of materials", () => {
    const text =
      "[[labels]]\nkey = 'k'\nvalue = 'v'\n[[slices]]\npaths = ['*.js']\n[[bom]]\nname = 'n'\nmetadata = {a = 1}\n[unknown]\nx = 1";
    expect(parse(text, "0.7")).toEqual({
      labels: [{ key: "k", value: "v" }],
      slices: [{ paths: ["*.js"] }],
      bom: [{ name: "n", metadata: { a: 1n }, buildpack: { id: "", version: "" } }],
      processes: [],
    });
  });
});

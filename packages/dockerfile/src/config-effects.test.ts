import { describe, expect, it } from "vitest";
import {
  type Expansion,
  startingConfig,
  withExposedPorts,
  withPairs,
  withStart,
  withStopSignal,
  withVolumes,
  withWorkingDir,
} from "./config-effects.ts";
import type { ListInstruction, PairsInstruction, StartInstruction, ValueInstruction } from "./instruction.ts";

const expand: Expansion = { word: (text) => text, words: (text) => text.split(" ") };
const place = { file: "Dockerfile", line: 1 };
const value = (kind: ValueInstruction["kind"], text: string): ValueInstruction => ({
  kind,
  place,
  source: "",
  value: text,
});
const list = (kind: ListInstruction["kind"], ...values: string[]): ListInstruction => ({
  kind,
  place,
  source: "",
  values,
});
const exec = (kind: StartInstruction["kind"], ...args: string[]): StartInstruction => {
  return { kind, place, source: "", command: { form: "exec", args } };
};

describe("effects on the config", () => {
  it("give every image a PATH, and take its triggers", () => {
    expect(startingConfig({ OnBuild: ["x"] })).toEqual({
      Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
    });
    expect(startingConfig({ Env: ["PATH=/x"] })).toEqual({ Env: ["PATH=/x"] });
  });

  it("of ENV replace a variable in its place", () => {
    const env: PairsInstruction = {
      kind: "ENV",
      place,
      source: "",
      pairs: [
        { name: "A", value: "2" },
        { name: "C", value: "" },
      ],
    };
    expect(withPairs({ Env: ["A=1", "AB=3"] }, env, expand)).toEqual({ Env: ["A=2", "AB=3", "C="] });
  });

  it("of LABEL also hold for names that objects have", () => {
    const label: PairsInstruction = { kind: "LABEL", place, source: "", pairs: [{ name: "__proto__", value: "x" }] };
    expect(Object.entries(withPairs({}, label, expand).Labels ?? {})).toEqual([["__proto__", "x"]]);
  });

  it.each([
    [undefined, "a", "/a"],
    ["/x", "a/../b/", "/x/b"],
    ["/x", "/y", "/y"],
    ["/x", "/y/./z//", "/y/./z//"],
    ["/y/./z//", "a", "/y/z/a"],
    ["/", "../..", "/"],
  ])("of WORKDIR below %j with %j", (before, text, after) => {
    const config = before === undefined ? {} : { WorkingDir: before };
    expect(withWorkingDir(config, value("WORKDIR", text), expand).WorkingDir).toBe(after);
  });

  it("of ENTRYPOINT take away the base image's CMD, but not the Dockerfile's", () => {
    const base = { Cmd: ["base"] };
    expect(withStart(base, exec("ENTRYPOINT", "e"), { cmdSet: false })).toEqual({ Entrypoint: ["e"] });
    expect(withStart(base, exec("ENTRYPOINT", "e"), { cmdSet: true })).toEqual({ Cmd: ["base"], Entrypoint: ["e"] });
  });

  it("of EXPOSE and VOLUME add up", () => {
    expect(
      withExposedPorts({ ExposedPorts: { "1/tcp": {} } }, list("EXPOSE", "80 7-8/UDP"), expand).ExposedPorts,
    ).toEqual({
      "1/tcp": {},
      "80/tcp": {},
      "7/udp": {},
      "8/udp": {},
    });
    expect(withVolumes({ Volumes: { "/a": {} } }, list("VOLUME", "/b"), expand).Volumes).toEqual({
      "/a": {},
      "/b": {},
    });
    expect(withVolumes({}, list("VOLUME", "'/a '"), { ...expand, word: () => "/a " }).Volumes).toEqual({ "/a ": {} });
  });

  it.each(["9", "65", "SIGTERM", "usr1", "SIGRTMIN+3"])("take %s for a signal", (signal) => {
    expect(withStopSignal({}, value("STOPSIGNAL", signal), expand)).toEqual({ StopSignal: signal });
  });

  it.each([
    () => withStopSignal({}, value("STOPSIGNAL", "SIGNOTHING"), expand),
    () => withStopSignal({}, value("STOPSIGNAL", "0"), expand),
    () => withExposedPorts({}, list("EXPOSE", "http"), expand),
    () => withExposedPorts({}, list("EXPOSE", "70000"), expand),
    () => withExposedPorts({}, list("EXPOSE", "9-8"), expand),
    () => withExposedPorts({}, list("EXPOSE", "80/icmp"), expand),
    () => withVolumes({}, list("VOLUME", ""), expand),
    () => withWorkingDir({}, value("WORKDIR", ""), expand),
  ])("refuse what makes no sense (%#)", (effect) => {
    expect(effect).toThrow();
  });
});

import { chmodSync, closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { descriptorOutput } from "./live-output.ts";
import { describeEnd, runCaptured, runLive } from "./program.ts";

let dir: string;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "program-"));
});

afterAll(() => {
  rmSync(dir, { recursive: true });
});

function program(script: string, { mode = 0o755, shebang = "#!/bin/bash" } = {}) {
  const path = join(dir, "program");
  writeFileSync(path, `${shebang}\n${script}\n`);
  chmodSync(path, mode);
  return { path, args: ["one", "two"], cwd: dir, env: { PATH: "/usr/bin:/bin", A: "b" } };
}

describe("runCaptured", () => {
  it("collects both outputs in the order in which they are written", async () => {
    const script = "for n in 1 2 3; do echo out$n; echo err$n >&2; echo dev$n > /dev/stderr; done; exit 3";
    const { end, output } = await runCaptured(program(script), 1000);
    expect(end).toEqual({ kind: "exited", code: 3 });
    expect(output).toBe("out1\nerr1\ndev1\nout2\nerr2\ndev2\nout3\nerr3\ndev3\n");
  });

  it("gives exactly the arguments, the directory, the environment and no input", async () => {
    const { output } = await runCaptured(program('echo "$@"; pwd; cat; env | grep -v -E "^(_|SHLVL|PWD)="'), 1000);
    expect(output.split("\n").sort()).toEqual(["", "A=b", "PATH=/usr/bin:/bin", dir, "one two"].sort());
  });

  it("keeps the beginning and the end of a long output", async () => {
    const { output } = await runCaptured(program("echo first; head -c 3000000 /dev/zero | tr '\\0' x; echo last"), 100);
    expect(output).toMatch(/^first\nx+\n\[\.\.\. 2999911 bytes left out \.\.\.\]\nx+last\n$/);
  });

  it("says why a program does not start", async () => {
    const reason = async (it: ReturnType<typeof program>) => describeEnd((await runCaptured(it, 100)).end);
    expect(await reason(program("", { mode: 0o644 }))).toBe(`fork/exec ${dir}/program: permission denied`);
    expect(await reason({ ...program(""), path: `${dir}/none` })).toBe(
      `fork/exec ${dir}/none: no such file or directory`,
    );
    expect(await reason(program("", { shebang: "#!/no/such -x" }))).toBe(
      `fork/exec ${dir}/program: no such file or directory (its interpreter /no/such does not exist)`,
    );
    expect(await reason({ ...program(""), cwd: "/no/such" })).toBe("chdir /no/such: no such file or directory");
  });

  it("tells the signal that ended a program", async () => {
    const { end } = await runCaptured(program("kill -9 $$"), 100);
    expect(end).toEqual({ kind: "signalled", signal: "SIGKILL" });
    expect(describeEnd(end)).toBe("signal: killed");
  });
});

describe("runLive", () => {
  async function live(script: string, stripEscapes: boolean): Promise<string> {
    const fd = openSync(join(dir, "output"), "w");
    await runLive(program(script), descriptorOutput(fd, stripEscapes));
    closeSync(fd);
    return readFileSync(join(dir, "output"), "latin1");
  }

  it("shows the output as it is", async () => {
    expect(await live("printf '\\033[31mred\\033[0m\\n'; echo err >&2", false)).toBe("\x1b[31mred\x1b[0m\nerr\n");
  });

  it("removes escape sequences, also those that come in pieces", async () => {
    const script = "printf 'a\\033[3'; sleep 0.1; printf '1;1mred\\033[0m\\n'; printf 'b\\033c\\n' >&2";
    expect(await live(script, true)).toBe("ared\nb\n");
  });
});

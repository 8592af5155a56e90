import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { DaemonAgent } from "./agent.ts";

test.runIf(process.getuid?.() === 0)("a socket that nobody listens on is named, with the reason in words", async () => {
  const dir = await mkdtemp(join(tmpdir(), "agent-"));
  const path = join(dir, "docker.sock");
  await writeFile(path, "");
  const agent = new DaemonAgent({ kind: "socket", name: `unix://${path}`, path });
  try {
    await expect(agent.connectAhead()).rejects.toThrow(
      `failed to connect to docker socket: dial unix ${path}: connect: connection refused`,
    );
  } finally {
    agent.destroy();
    await rm(dir, { recursive: true });
  }
});

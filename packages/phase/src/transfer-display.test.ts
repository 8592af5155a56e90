import type { Digest } from "@lifecycle/image";
import { expect, it } from "vitest";
import { ConsoleLogger } from "./logger.ts";
import { TransferDisplay } from "./transfer-display.ts";

const blob: Digest = `sha256:${"ab".repeat(32)}`;
const upload = { direction: "upload", place: "registry.example.com/app", blob, size: 100e6 } as const;

function display(terminal?: { columns: number }, options: { level?: string; format?: string } = {}) {
  const written: string[] = [];
  const logger = new ConsoleLogger({ level: "info", color: false, ...options }, (text) => written.push(text));
  let now = 0;
  const transfers = new TransferDisplay(logger, terminal, () => now);
  const wait = (milliseconds: number): void => {
    now += milliseconds;
    transfers.show();
  };
  return { written, logger, transfers, wait };
}

it("says nothing of a quick transfer", () => {
  const { written, transfers, wait } = display();
  const progress = transfers.begin(upload);
  wait(1_000);
  progress.end(true);
  wait(10_000);
  expect(written).toEqual([]);
});

it("says in a line how far a slow one is, how fast and how long it will take", () => {
  const { written, transfers, wait } = display();
  const progress = transfers.begin(upload);
  progress.moved(25e6);
  wait(5_000);
  expect(written).toEqual([
    `Uploading ${blob} to registry.example.com/app: 25.0 MB of 100.0 MB, 5.0 MB/s, 15 s left\n`,
  ]);
  progress.end(true);
});

it("says of one of unknown size how far it is", () => {
  const { written, transfers, wait } = display();
  const progress = transfers.begin({ ...upload, direction: "download", size: undefined });
  progress.moved(25e6);
  wait(5_000);
  expect(written).toEqual([`Downloading ${blob} from registry.example.com/app: 25.0 MB, 5.0 MB/s\n`]);
  progress.end(true);
});

it("says of a layer that is compressed on its way how long it will take at most", () => {
  const { written, transfers, wait } = display();
  const progress = transfers.begin({ ...upload, size: undefined, atMost: 100e6 });
  progress.moved(25e6);
  wait(5_000);
  expect(written).toEqual([
    `Uploading ${blob} to registry.example.com/app: 25.0 MB of at most 100.0 MB, 5.0 MB/s, at most 15 s left\n`,
  ]);
  progress.end(true);
});

it("gives the figures as fields of a JSON line", () => {
  const { written, transfers, wait } = display({ columns: 80 }, { format: "json" });
  const progress = transfers.begin(upload);
  progress.moved(25e6);
  wait(5_000);
  expect(JSON.parse(written.join(""))).toMatchObject({
    level: "info",
    image: "registry.example.com/app",
    direction: "upload",
    bytes: 25e6,
    totalBytes: 100e6,
  });
  progress.end(true);
});

it("draws a bar for each on a terminal, below the log, and takes them away at the end", () => {
  const { written, logger, transfers, wait } = display({ columns: 80 });
  const one = transfers.begin(upload);
  const other = transfers.begin({ ...upload, size: undefined });
  one.moved(50e6);
  wait(5_000);
  const bars =
    "sha256:abababababab [==========          ] 50.0 MB of 100.0 MB, 10.0 MB/s, 5 s left\nsha256:abababababab 0.0 MB, 0.0 MB/s\n"
      .split("\n")
      .map((line) => line.slice(0, 79))
      .join("\n");
  logger.info("meanwhile");
  one.end(true);
  other.end(true);
  expect(written).toEqual([bars, `\u001b[2A\u001b[Jmeanwhile\n${bars}`, "\u001b[2A\u001b[J"]);
});

it("draws bars of one line each on a terminal without a size", () => {
  const { written, transfers, wait } = display({ columns: 0 });
  const progress = transfers.begin({ ...upload, size: 123_456e9 });
  progress.moved(100_000e9);
  wait(5_000);
  expect(written[0]).toHaveLength(80);
  progress.end(true);
});

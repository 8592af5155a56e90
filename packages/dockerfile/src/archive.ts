import { type ChildProcess, spawn } from "node:child_process";
import { Readable } from "node:stream";
import { decompressed } from "@lifecycle/image";
import { type BytePath, TarReader, toText } from "@lifecycle/layers";
import { InstructionError } from "./error.ts";
import { readFile } from "./source-tree.ts";

/** How archives are compressed, by their first bytes (hex), and which program undoes what node cannot. */
const compressions = [
  { magic: "1f8b", program: undefined },
  { magic: "425a68", program: "bzip2" },
  { magic: "fd377a585a00", program: "xz" },
  { magic: "28b52ffd", program: undefined },
] as const;

/**
 * The tar stream that a file holds, compressed or not; undefined if it holds none, so that ADD copies it as it is.
 * @throws InstructionError `failed` for a compression whose program is not installed
 */
export async function openArchive(path: BytePath): Promise<AsyncIterable<Uint8Array> | undefined> {
  const first = await firstBytes(streamOf(path));
  const compression = compressions.find(({ magic }) => first.toString("hex").startsWith(magic));
  const open = () => tarStream(path, compression);
  if (compression === undefined) return isTarHeader(first) ? open() : undefined;
  try {
    return isTarHeader(await firstBytes(open())) ? open() : undefined;
  } catch (error) {
    // A damaged or foreign file with the same first bytes is a file like any other.
    if (error instanceof InstructionError) throw error;
    return undefined;
  }
}

const headerLength = 512;

/** A file as a stream. That of node:fs takes no names in Bun that are no text. */
function streamOf(path: BytePath): Readable {
  return Readable.from(copies(readFile(path)), { objectMode: false });
}

/** Pieces that stay as they are. */
function* copies(pieces: Iterable<Uint8Array>): Generator<Buffer> {
  for (const piece of pieces) yield Buffer.from(piece);
}

function tarStream(path: BytePath, compression: (typeof compressions)[number] | undefined): AsyncIterable<Uint8Array> {
  const file = streamOf(path);
  if (compression === undefined) return file;
  if (compression.program !== undefined) return throughProgram(compression.program, path);
  return decompressed(file, toText(path));
}

async function* throughProgram(program: string, path: BytePath): AsyncGenerator<Uint8Array> {
  const child: ChildProcess = spawn(program, ["-dc"], { stdio: ["pipe", "pipe", "ignore"] });
  const ended = new Promise<number | Error>((resolve) => {
    child.once("error", resolve);
    child.once("close", (code) => resolve(code ?? 1));
  });
  const { stdin, stdout } = child;
  if (stdin === null || stdout === null) return;
  // Whoever stops reading early closes the pipe.
  stdin.on("error", () => {});
  const file = streamOf(path);
  file.pipe(stdin);
  try {
    for await (const chunk of stdout) yield chunk;
    const end = await ended;
    if (end instanceof Error) throw new InstructionError("failed", `${program} is needed to unpack it: ${end.message}`);
    if (end !== 0) throw new Error(`${program} ended with exit status ${end}`);
  } finally {
    file.destroy();
    child.kill("SIGKILL");
  }
}

async function firstBytes(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of source) {
    chunks.push(chunk);
    length += chunk.length;
    if (length >= headerLength) break;
  }
  return Buffer.concat(chunks).subarray(0, headerLength);
}

function isTarHeader(block: Buffer): boolean {
  if (block.length < headerLength || block.every((byte) => byte === 0)) return false;
  try {
    new TarReader({ begin: () => {}, contents: () => {}, end: () => {} }).write(block);
    return true;
  } catch {
    return false;
  }
}

import { type BytePath, childPath, fromLatin1, type Owner, type TarEntry, toBytePath } from "@lifecycle/layers";
import { openArchive } from "./archive.ts";
import type { BuildState } from "./build-state.ts";
import { Copier, type Destination, findDestination } from "./copier.ts";
import { type Download, download, isGitRepository, isUrl } from "./download.ts";
import { InstructionError } from "./error.ts";
import { expandText } from "./expand.ts";
import { heredocContent, heredocOf } from "./heredoc.ts";
import { ignoreRules } from "./ignore-file.ts";
import type { CopyInstruction } from "./instruction.ts";
import type { Origin } from "./origin.ts";
import { readFile } from "./source-tree.ts";
import { impliedDirectory, rootOwner, TreeWriter } from "./tree-writer.ts";
import { unpack } from "./unpack.ts";

/** What COPY and ADD copy, by where it comes from. */
interface CopySources {
  /** Of the Dockerfile's heredocs. */
  readonly files: { readonly name: string; readonly content: string }[];
  readonly downloads: Download[];
  /** Of the context or an image: paths as expanded. */
  readonly paths: string[];
}

/** How and where it is copied: the instruction's other arguments, expanded. */
interface CopyTarget {
  readonly destination: string;
  /** Undefined if there is no `--chown`. */
  readonly chown: string | undefined;
  readonly mode: number | undefined;
}

/** COPY and ADD: copies files into the root, and makes a layer of them. */
export async function dispatchCopy(instruction: CopyInstruction, state: BuildState): Promise<void> {
  const sources: CopySources = { files: [], downloads: [], paths: [] };
  try {
    await collect(instruction, state, sources);
    const { files, downloads, paths } = sources;
    const origin = paths.length > 0 ? await state.origin(instruction.from) : undefined;
    const target = targetOf(instruction, state);
    const { destination, chown = null, mode = null } = target;
    const material = [
      [instruction.kind, state.workingDirectory, destination, chown, mode, instruction.exclude],
      [(await origin?.material(paths)) ?? null, files, downloads.map(({ name, digest }) => [name, digest])],
    ];
    await state.steps.take(material, () => copy(instruction, sources, origin, target, state));
  } finally {
    for (const { remove } of sources.downloads) await remove();
  }
}

/** Sorts the sources by where they come from; what is elsewhere is fetched. */
async function collect(instruction: CopyInstruction, state: BuildState, into: CopySources): Promise<void> {
  const { kind, heredocs } = instruction;
  const { downloader, signal, workDirectory } = state.options;
  const expand = state.expansion();
  for (const argument of instruction.sources) {
    const start = heredocs.length > 0 ? heredocOf(argument, state.escapeToken) : undefined;
    const heredoc = heredocs.find(({ name }) => name === start?.name);
    const path = expand.word(argument);
    if (heredoc !== undefined) {
      const text = heredocContent(heredoc);
      const content = heredoc.expand ? expandText(text, state.lookup(), state.escapeToken) : text;
      into.files.push({ name: heredoc.name, content });
    } else if (kind === "ADD" && isGitRepository(path)) {
      throw new InstructionError("refused", `Git repositories cannot be added: ${path}`);
    } else if (kind === "ADD" && isUrl(path)) {
      const checksum = instruction.checksum === undefined ? undefined : expand.word(instruction.checksum);
      into.downloads.push(await download(path, downloader, workDirectory, checksum, signal));
    } else {
      into.paths.push(path);
    }
  }
}

function targetOf({ destination, chown, chmod }: CopyInstruction, state: BuildState): CopyTarget {
  const expand = state.expansion();
  return {
    destination: expand.word(destination),
    chown: chown === undefined ? undefined : expand.word(chown),
    mode: chmod === undefined ? undefined : parseMode(expand.word(chmod)),
  };
}

function parseMode(text: string): number {
  if (!/^[0-7]{1,4}$/.test(text)) throw new InstructionError("syntax", `--chmod=${text} is no octal mode`);
  return Number.parseInt(text, 8);
}

/** Does the copying. @returns what changed by it */
async function copy(
  { kind, exclude }: CopyInstruction,
  { files, downloads, paths }: CopySources,
  origin: Origin | undefined,
  target: CopyTarget,
  state: BuildState,
): Promise<TarEntry[]> {
  const { root, users, workingDirectory } = state;
  const { signal } = state.options;
  const tree = await origin?.tree();
  const found = paths.flatMap((path) => tree?.find(path) ?? []);
  if (found.length + files.length + downloads.length > 1 && !target.destination.endsWith("/")) {
    const rule = "the destination must be a directory and end with a /";
    throw new InstructionError("failed", `with more than one source file, ${rule}`);
  }
  const destination = findDestination(root.paths, target.destination, workingDirectory);
  const given = target.chown === undefined ? undefined : users.owner(target.chown);
  const options = { owner: given ?? rootOwner, mode: target.mode, exclude: ignoreRules(exclude), signal };
  const copier = new Copier(root.paths, options);
  const touched = new Set<BytePath>();
  for (const source of found) {
    const isFile = kind === "ADD" && source.stats.isFile();
    const archive = isFile ? await openArchive(source.tree.host(source.path)) : undefined;
    if (archive === undefined) await copier.copy(source, destination);
    else for (const path of await unpackArchive(archive, destination.path, given, state)) touched.add(path);
  }
  for (const { name, content } of files) {
    await copier.copyFile([Buffer.from(content)], within(destination, name), 0o644);
  }
  for (const { name, path } of downloads) {
    if (name === "" && destination.isDirectory) throw new InstructionError("failed", "the URL has no file name");
    await copier.copyFile(readFile(toBytePath(path)), within(destination, name), 0o600);
  }
  return root.snapshot.changesOf([...touched, ...copier.touched]);
}

/** The path of a file that is copied to a destination. */
function within({ path, isDirectory }: Destination, name: string): BytePath {
  return isDirectory ? childPath(path, toBytePath(name)) : path;
}

/** @returns the paths that were written */
async function unpackArchive(
  archive: AsyncIterable<Uint8Array>,
  into: BytePath,
  owner: Owner | undefined,
  { root, options }: BuildState,
): Promise<ReadonlySet<BytePath>> {
  const writer = new TreeWriter(root.paths);
  writer.makeDirectories(into, impliedDirectory);
  const touched = await unpack(archive, root.paths, {
    kind: "archive",
    into: fromLatin1(into),
    isIgnored: (path) => root.ignored.contain(path),
    ...(owner === undefined ? {} : { owner }),
    signal: options.signal,
  });
  return new Set([...writer.touched, ...touched]);
}

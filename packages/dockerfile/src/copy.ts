import { posix } from "node:path";
import { type BytePath, childPath, fromLatin1, type Owner, type TarEntry, toBytePath } from "@lifecycle/layers";
import { openArchive } from "./archive.ts";
import type { BuildState } from "./build-state.ts";
import { type ModeChange, parseChmod } from "./chmod-flag.ts";
import { Copier, type Destination, findDestination } from "./copier.ts";
import { type Download, download, isGitRepository, isUrl } from "./download.ts";
import { InstructionError } from "./error.ts";
import { expandText } from "./expand.ts";
import { heredocContent, heredocOf } from "./heredoc.ts";
import { excludeRules } from "./ignore-file.ts";
import type { CopyInstruction } from "./instruction.ts";
import type { Origin } from "./origin.ts";
import { hasWildcard, readFile, type SourceTree } from "./source-tree.ts";
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
  readonly chmod: ModeChange | undefined;
}

/** COPY and ADD: copies files into the root, and makes a layer of them. */
export async function dispatchCopy(instruction: CopyInstruction, state: BuildState): Promise<void> {
  const sources: CopySources = { files: [], downloads: [], paths: [] };
  try {
    await collect(instruction, state, sources);
    const { files, downloads, paths } = sources;
    const from = instruction.from === undefined ? undefined : state.imageName(instruction.from);
    const origin = paths.length > 0 ? await state.origin(from) : undefined;
    const target = targetOf(instruction, state);
    const { destination, chown = null, chmod } = target;
    const { kind, exclude, parents, unpack: unpacks } = instruction;
    const material = [
      [kind, state.workingDirectory, destination, chown, chmod?.text ?? null, exclude, parents, unpacks ?? null],
      [
        (await origin?.material(parents ? paths.map((path) => splitParents(path).base) : paths)) ?? null,
        parents ? paths : [],
        files,
        downloads.map(({ name, digest }) => [name, digest]),
      ],
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
  const checksum = expand.word(instruction.checksum ?? "") || undefined;
  for (const argument of instruction.sources) {
    const start = heredocs.length > 0 ? heredocOf(argument, state.escapeToken) : undefined;
    const heredoc = heredocs.find(({ name }) => name === start?.name);
    const path = expand.word(argument);
    if (checksum !== undefined && (instruction.sources.length > 1 || !isUrl(path))) {
      throw new InstructionError("syntax", "--checksum is for one source, which has to be a URL");
    }
    if (heredoc !== undefined) {
      const text = heredocContent(heredoc);
      const content = heredoc.expand ? expandText(text, state.lookup()) : text;
      into.files.push({ name: heredoc.name, content });
    } else if (kind === "ADD" && isGitRepository(path)) {
      throw new InstructionError("refused", `Git repositories cannot be added: ${path}`);
    } else if (kind === "ADD" && isUrl(path)) {
      into.downloads.push(await download(path, downloader, workDirectory, checksum, signal));
    } else {
      into.paths.push(path);
    }
  }
}

function targetOf({ destination, chown, chmod }: CopyInstruction, state: BuildState): CopyTarget {
  const expand = state.expansion();
  // What expands to nothing is as good as no flag.
  const flag = (text: string | undefined) => (text === undefined ? "" : expand.word(text)) || undefined;
  const mode = flag(chmod);
  return {
    destination: expand.word(destination),
    chown: flag(chown),
    chmod: mode === undefined ? undefined : parseChmod(mode),
  };
}

/** Does the copying. @returns what changed by it */
async function copy(
  { kind, from, exclude, parents, unpack: unpacks }: CopyInstruction,
  { files, downloads, paths }: CopySources,
  origin: Origin | undefined,
  target: CopyTarget,
  state: BuildState,
): Promise<TarEntry[]> {
  const { root, users, workingDirectory } = state;
  const { signal } = state.options;
  const destination = findDestination(root.paths, target.destination, workingDirectory);
  const given = target.chown === undefined ? undefined : users.owner(target.chown);
  // What comes from another image keeps its owners; the context's are those of whoever made it.
  const owner = given ?? (from === undefined ? rootOwner : undefined);
  const options = { owner, chmod: target.chmod, exclude: excludeRules(exclude), signal };
  const copier = new Copier(root.paths, options);
  const touched = new Set<BytePath>();
  const tree = await origin?.tree();
  if (parents) {
    for (const path of paths) if (tree !== undefined) await copyWithParents(path, tree, copier, destination);
  }
  const found = parents ? [] : paths.flatMap((path) => tree?.find(path) ?? []);
  const count = found.length + files.length + downloads.length;
  if (count === 0 && !parents) throw new InstructionError("failed", `nothing matches ${paths.join(" ")}`);
  if (count > 1 && !destination.isDirectory) {
    const rule = "the destination must be a directory and end with a /";
    throw new InstructionError("failed", `with more than one source file, ${rule}`);
  }
  const unpackTo = async (archive: AsyncIterable<Uint8Array>) => {
    for (const path of await unpackArchive(archive, destination.path, given, state)) touched.add(path);
  };
  for (const source of found) {
    const isFile = (unpacks ?? kind === "ADD") && source.stats.isFile();
    const archive = isFile ? await openArchive(source.tree.host(source.path)) : undefined;
    if (archive === undefined) await copier.copy(source, destination);
    else await unpackTo(archive);
  }
  for (const { name, content } of files) {
    await copier.writeNew([Buffer.from(content)], within(destination, name), 0o644);
  }
  for (const { name, path } of downloads) {
    const archive = unpacks === true ? await openArchive(toBytePath(path)) : undefined;
    if (archive !== undefined) {
      await unpackTo(archive);
      continue;
    }
    if (name === "" && destination.isDirectory) throw new InstructionError("failed", "the URL has no file name");
    await copier.writeNew(readFile(toBytePath(path)), within(destination, name), 0o600);
  }
  return root.snapshot.changesOf([...touched, ...copier.touched]);
}

/** A source of `COPY --parents`: where the kept directories begin, marked by `/./`, and what is copied below it. */
function splitParents(path: string): { base: string; pattern: string } {
  const pivot = path.indexOf("/./");
  const [base, rest] = pivot < 0 ? ["/", path] : [path.slice(0, pivot) || "/", path.slice(pivot + 3)];
  return { base, pattern: posix.resolve("/", rest).slice(1) };
}

async function copyWithParents(
  path: string,
  tree: SourceTree,
  copier: Copier,
  destination: Destination,
): Promise<void> {
  const { base, pattern } = splitParents(path);
  let found = hasWildcard(base) || hasWildcard(pattern);
  for (const source of tree.find(base)) {
    if (pattern !== "") found = (await copier.copyMatching(source, pattern, destination)) || found;
    else {
      await copier.copy(source, destination);
      found = true;
    }
  }
  if (!found) throw new InstructionError("failed", `${path} is not in ${tree.what}, or is excluded by its ignore file`);
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

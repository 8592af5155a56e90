import { rmSync } from "node:fs";
import { posix } from "node:path";
import { describeEnd } from "@lifecycle/buildpack";
import { type BytePath, childPath, type TarEntry, toBytePath } from "@lifecycle/layers";
import type { BuildState } from "./build-state.ts";
import { argumentsOf, shellOf } from "./config-effects.ts";
import { InstructionError } from "./error.ts";
import { GuestFiles } from "./guest-files.ts";
import { heredocContent, heredocOf } from "./heredoc.ts";
import type { RunInstruction, RunMount } from "./instruction.ts";
import { mayMount } from "./may-mount.ts";
import { parseMount } from "./mount-flag.ts";
import { OutputTail } from "./output-tail.ts";
import { runInRoot } from "./run-in-root.ts";
import { type MountSources, RunMounts } from "./run-mounts.ts";
import { impliedDirectory, rootOwner, TreeWriter } from "./tree-writer.ts";
import { Undo } from "./undo.ts";
import { makeWorkingDirectory } from "./workdir.ts";

/** Where a heredoc that is a program of its own lies while it runs. */
const pipesDirectory = toBytePath("/.lifecycle-heredocs");

/** RUN: runs a program in the root and makes a layer of what it changed. */
export async function dispatchRun(instruction: RunInstruction, state: BuildState): Promise<void> {
  const mounts = expandedMounts(instruction, state);
  const material = await materialOf(instruction, mounts, state);
  await state.steps.take(material, () => changesBy(instruction, mounts, state));
}

/** What RUN mounts, with variables expanded and targets as absolute paths. */
function expandedMounts({ mounts }: RunInstruction, state: BuildState): RunMount[] {
  const expand = state.expansion();
  return mounts.map((text) => {
    const mount = parseMount(text, (value, key) => (key === "from" ? state.imageName(value) : expand.word(value)));
    if (mount.type === "secret" && mount.target === "") return mount;
    return { ...mount, target: posix.resolve(state.workingDirectory, mount.target) };
  });
}

/** All that the layer is made from, besides the root. Of what is mounted only what is bound can be known. */
async function materialOf(
  { command, heredocs }: RunInstruction,
  mounts: readonly RunMount[],
  state: BuildState,
): Promise<unknown[]> {
  const text = JSON.stringify([command, heredocs]);
  const { Env = [], User = "" } = state.config;
  const args = state.args.relevant(state.env(), text);
  const bound: unknown[] = [];
  for (const { type, from, source } of mounts) {
    if (type === "bind") bound.push(await (await state.origin(from)).material([source]));
  }
  const volumes = volumesOf(state);
  return ["RUN", text, mounts, bound, shellOf(state.config), Env, args, User, state.workingDirectory, volumes];
}

/** Where VOLUME has declared volumes, here or in the base image. */
function volumesOf({ config }: BuildState): string[] {
  return Object.keys(config.Volumes ?? {}).map((volume) => posix.resolve("/", volume));
}

/** Makes the directories that volumes would be mounted at: a container that is started leaves them behind. */
function makeVolumes(state: BuildState): void {
  const { paths } = state.root;
  const writer = new TreeWriter(paths);
  for (const volume of volumesOf(state)) {
    const path = paths.resolve(toBytePath(volume));
    if (paths.find(path) === undefined) writer.makeDirectories(path, impliedDirectory);
  }
}

/** Runs the program, with what it may use in its place meanwhile. @returns what it changed */
async function changesBy(
  instruction: RunInstruction,
  mounts: readonly RunMount[],
  state: BuildState,
): Promise<TarEntry[]> {
  const { paths, snapshot } = state.root;
  const { signal } = state.options;
  await snapshot.take(signal);
  const undo = new Undo(paths, state.warn);
  const guest = new GuestFiles(paths, undo);
  const runMounts = new RunMounts(paths, mountSources(state), undo);
  let lent: ReadonlySet<BytePath>;
  try {
    makeWorkingDirectory(state);
    makeVolumes(state);
    for (const mount of mounts) await runMounts.enter(mount);
    guest.lend();
    lent = new Set([...guest.paths, ...runMounts.paths]);
    await execute(programOf(instruction, state, undo), runMounts.env, state);
  } catch (error) {
    // What else goes wrong then must not hide this.
    await undo.all().catch((problem) => state.warn(String(problem)));
    throw error;
  }
  await undo.all();
  return snapshot.changes(signal, lent);
}

function mountSources(state: BuildState): MountSources {
  const { mountCaches, secrets = {}, signal } = state.options;
  const tree = async (from: string | undefined) => (await state.origin(from)).tree();
  return { caches: mountCaches, secrets, tree, signal, warn: state.warn };
}

/** The arguments to run, heredocs taken care of: one alone is the script, others are the shell's. */
function programOf({ command, heredocs }: RunInstruction, state: BuildState, undo: Undo): readonly string[] {
  const [first] = heredocs;
  if (command.form === "exec" || first === undefined) return argumentsOf(command, state.config);
  const isAlone = heredocOf(command.text.trim(), state.escapeToken) !== undefined;
  if (!isAlone) {
    const text = [command.text, ...heredocs.map(({ body, name }) => `${body}${name}`)].join("\n");
    return [...shellOf(state.config), text];
  }
  const script = heredocContent(first);
  if (!script.startsWith("#!")) return [...shellOf(state.config), script];
  const { paths } = state.root;
  const path = childPath(pipesDirectory, toBytePath(first.name.replaceAll("/", "_")));
  const writer = new TreeWriter(paths);
  writer.remove(pipesDirectory);
  writer.directory(pipesDirectory, impliedDirectory);
  undo.later(pipesDirectory, () => rmSync(paths.file(pipesDirectory), { recursive: true, force: true }));
  const file = writer.file(path, { mode: 0o755, ...rootOwner });
  file.write(Buffer.from(script));
  file.close();
  return [...shellOf(state.config), path];
}

async function execute(
  args: readonly string[],
  secrets: Readonly<Record<string, string>>,
  state: BuildState,
): Promise<void> {
  const { helper, workDirectory, output, signal } = state.options;
  const { directory } = state.root.paths;
  const user = state.users.runUser(state.config.User ?? "");
  const env = state.env();
  const tail = new OutputTail();
  const end = await runInRoot({
    helper,
    workDirectory,
    signal,
    output: (chunk) => {
      tail.add(chunk);
      output(chunk);
    },
    root: directory,
    cwd: state.workingDirectory,
    args,
    env: { HOME: user.home, ...Object.fromEntries([...state.args.visible(env), ...env]), ...secrets },
    uid: user.uid,
    gid: user.gid,
    groups: user.groups,
  });
  signal.throwIfAborted();
  if (end.kind === "exited" && end.code === 0) return;
  const said = tail.text();
  const hint = lacksProc(said, directory) ? "; a directory's RUN has no /proc where mounting is not allowed" : "";
  throw new InstructionError(
    "failed",
    `${describeEnd(end)}${hint}${said === "" ? "" : `; its output ended with:\n${said}`}`,
  );
}

/** Whether a program that says this may have failed for want of /proc. */
function lacksProc(said: string, root: string): boolean {
  return root !== "/" && !mayMount() && /\bproc\b/.test(said);
}

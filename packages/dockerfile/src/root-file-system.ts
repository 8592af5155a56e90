import type { BytePath } from "@lifecycle/layers";
import { IgnoredPaths } from "./ignored-paths.ts";
import { RootPaths } from "./root-paths.ts";
import { Snapshot } from "./snapshot.ts";
import { unpack } from "./unpack.ts";

/** What a root file system is. */
export interface RootOptions {
  /** `/`, or the directory that holds it. */
  readonly directory: string;
  /** Absolute paths in it that belong to no image: app, layers, platform, kaniko and cache directories. */
  readonly ignored: readonly string[];
  /** Names exactly what it holds at first, such as the digest of its image; part of what layers are cached by. */
  readonly identity: string;
}

/**
 * A root file system that Dockerfiles are applied to, one after the other. It is changed in place; nobody else may
 * change it meanwhile.
 */
export class RootFileSystem {
  readonly paths: RootPaths;
  readonly ignored: IgnoredPaths;
  readonly snapshot: Snapshot;
  /** Says how it came to be what it is: by its identity and all that was done to it. */
  key: string;
  /** Whether every step so far came from the cache. After one that did not, no other may. */
  fromCache = true;

  constructor(options: RootOptions) {
    this.paths = new RootPaths(options.directory);
    this.ignored = new IgnoredPaths(this.paths, options.ignored);
    this.snapshot = new Snapshot(this.paths, this.ignored);
    this.key = options.identity;
  }

  /** Puts a layer into it. */
  async unpackLayer(source: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<void> {
    this.ignored.refresh();
    const isIgnored = (path: BytePath) => this.ignored.contain(path);
    await unpack(source, this.paths, { kind: "layer", isIgnored, ...(signal === undefined ? {} : { signal }) });
  }
}

/**
 * Puts an image's layer into a directory, with owners, modes, devices, extended attributes and whiteouts. Needs root.
 * @throws LayerError `corrupt`, InstructionError `refused`, and what the source throws
 */
export async function unpackLayer(
  source: AsyncIterable<Uint8Array>,
  directory: string,
  signal?: AbortSignal,
): Promise<void> {
  await unpack(source, new RootPaths(directory), { kind: "layer", ...(signal === undefined ? {} : { signal }) });
}

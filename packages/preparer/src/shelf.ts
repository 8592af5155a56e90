import { accessSync, constants, existsSync, mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { escapeId } from "@lifecycle/buildpack";
import { toBytePath } from "@lifecycle/layers";
import type { Builder } from "./builder.ts";
import { failure } from "./errors.ts";
import type { FetchedBuildpack } from "./sources.ts";
import { recover, type Transaction } from "./transaction.ts";

/**
 * Where buildpacks are put so that the detector finds them and the builder's own in one directory: the builder's, if it
 * can be written; else an overlay, in which the builder's own are symlinks.
 */
export class Shelf {
  /** Where the detector is to look. */
  readonly dir: string;
  readonly isOverlay: boolean;
  /** In the same file system as `dir`. */
  readonly scratch: string;
  readonly #transaction: Transaction;

  /**
   * @param overlayDir where an overlay goes
   * @param alwaysOverlay leave the builder's directory alone
   * @param isOurs whether the overlay directory is one that a preparer made
   * @throws LifecycleError with exit code 110 if neither directory can be used
   */
  constructor(
    { buildpacksDir, overlayDir, alwaysOverlay }: { buildpacksDir: string; overlayDir: string; alwaysOverlay: boolean },
    isOurs: boolean,
    transaction: Transaction,
  ) {
    this.#transaction = transaction;
    this.isOverlay = alwaysOverlay || !isWritable(buildpacksDir);
    this.dir = this.isOverlay ? overlayDir : buildpacksDir;
    recover(this.dir);
    if (this.isOverlay && !isOurs && existsSync(overlayDir) && readdirSync(overlayDir).length > 0) {
      const remedy = "name an empty directory with -buildpacks-out";
      throw failure("prepareError", `${overlayDir} is to hold prepared buildpacks, but is not empty; ${remedy}`);
    }
    this.scratch = transaction.scratchIn(this.dir);
  }

  pathOf({ id, version }: { readonly id: string; readonly version: string }): string {
    return join(this.dir, escapeId(id), version);
  }

  /** Puts buildpacks in their place. Of an overlay, everything is made anew. */
  place(buildpacks: readonly FetchedBuildpack[], builder: Builder): void {
    if (this.isOverlay) this.#placeOverlay(buildpacks, builder);
    else this.#placeBesideOthers(buildpacks);
  }

  #placeBesideOthers(buildpacks: readonly FetchedBuildpack[]): void {
    for (const buildpack of buildpacks) {
      const path = this.pathOf(buildpack);
      this.#transaction.makeDirectory(dirname(path));
      if (existsSync(path)) this.#transaction.remove(toBytePath(path), this.scratch);
      this.#transaction.move(toBytePath(buildpack.dir), toBytePath(path));
    }
  }

  #placeOverlay(buildpacks: readonly FetchedBuildpack[], builder: Builder): void {
    for (const name of readdirSync(this.dir)) {
      const path = join(this.dir, name);
      if (path !== this.scratch) this.#transaction.remove(toBytePath(path), this.scratch);
    }
    for (const buildpack of buildpacks) {
      const path = this.pathOf(buildpack);
      this.#transaction.makeDirectory(dirname(path));
      this.#transaction.move(toBytePath(buildpack.dir), toBytePath(path));
    }
    const view = join(this.scratch, "view");
    mkdirSync(view);
    for (const [index, own] of builder.buildpacks.entries()) {
      const path = this.pathOf(own);
      if (existsSync(path)) continue;
      this.#transaction.makeDirectory(dirname(path));
      const link = join(view, String(index));
      symlinkSync(own.dir, link);
      this.#transaction.move(toBytePath(link), toBytePath(path));
    }
  }
}

function isWritable(dir: string): boolean {
  try {
    accessSync(dir, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

import { type BytePath, toText } from "@lifecycle/layers";
import type { RootPaths } from "./root-paths.ts";

interface Step {
  readonly path: BytePath;
  readonly undo: () => void | Promise<void>;
}

/**
 * What is to be undone in a root after a program ran in it. The program may have put anything in the way: where a path
 * is not what it was, its step is left out, lest it change something elsewhere.
 */
export class Undo {
  readonly #root: RootPaths;
  readonly #warn: (message: string) => void;
  readonly #steps: Step[] = [];

  constructor(root: RootPaths, warn: (message: string) => void) {
    this.#root = root;
    this.#warn = warn;
  }

  /**
   * Has something done in the end, before what was asked for earlier.
   * @param path the resolved path that it is done at; nothing below its last name is followed
   */
  later(path: BytePath, undo: Step["undo"]): void {
    this.#steps.push({ path, undo });
  }

  /** Does all of it. @throws the first error that came up on the way */
  async all(): Promise<void> {
    const errors: unknown[] = [];
    for (const { path, undo } of this.#steps.splice(0).reverse()) {
      if (!this.#root.leadsStraightTo(path)) {
        this.#warn(`${toText(path)} was not put back, since what is above it was removed or replaced`);
        continue;
      }
      try {
        await undo();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }
}

import type { Process } from "@lifecycle/spec-types";
import { compareBytes } from "./read-dir.ts";

/** The process types of an image while its buildpacks define them one after the other. */
export class ProcessMap {
  readonly #processes = new Map<string, Process>();
  #defaultType: string | undefined;

  /** Type of the last process that was marked as default, unless a later buildpack took the mark away. */
  get defaultType(): string | undefined {
    return this.#defaultType;
  }

  /**
   * Adds what a buildpack defines; the last definition of a type counts.
   *
   * @returns a warning if a process that is not marked as default replaces the default one
   */
  add(processes: readonly Process[]): string | undefined {
    let warning: string | undefined;
    for (const process of processes) {
      if (process.default) {
        this.#defaultType = process.type;
        warning = undefined;
      } else if (process.type === this.#defaultType) {
        this.#defaultType = undefined;
        warning = `Warning: redefining the following default process type with a process not marked as default: ${process.type}`;
      }
      this.#processes.set(process.type, process);
    }
    return warning;
  }

  /** The processes by type, none of them marked as default: metadata.toml says elsewhere which one is. */
  list(): Process[] {
    return [...this.#processes.values()]
      .sort((a, b) => compareBytes(a.type, b.type))
      .map((process) => ({ ...process, default: false }));
  }
}

import type { Downloader, ImageConfig } from "@lifecycle/image";
import type { LayerCache } from "./layer-cache.ts";
import type { SourceImage } from "./origin.ts";
import type { RootFileSystem } from "./root-file-system.ts";

/** What a Dockerfile is applied to and with. */
export interface ApplyOptions {
  /** Is changed in place. */
  readonly root: RootFileSystem;
  /** The config of the image that the root is of. */
  readonly config: ImageConfig;
  /** Build args by name: `base_image`, `build_id`, `user_id`, `group_id`, and those of extend-config.toml. */
  readonly buildArgs: Readonly<Record<string, string>>;
  /** The build context, a directory. Its .dockerignore is read when something is copied from it. */
  readonly context: string;
  /** Where the Dockerfile may have an ignore file of its own, which counts in place of the context's. */
  readonly ignoreFile?: string;
  /** Where layers are written to, and taken from if the same was done before. */
  readonly cache: LayerCache;
  /** Where the caches of `RUN --mount=type=cache` are kept; without it they are as good as empty. */
  readonly mountCaches?: string;
  /** Files with what `RUN --mount=type=secret` may have, by id. */
  readonly secrets?: Readonly<Record<string, string>>;
  /** The program and first arguments that call `execInRoot` with the path that follows. */
  readonly helper: readonly string[];
  /** Fetches what ADD names by a URL. */
  readonly downloader: Downloader;
  /** Whether the layers are of no use but in the cache: those that cannot be kept there are left out. */
  readonly onlyRoot?: boolean;
  /** A private directory for what lasts as long as this. */
  readonly workDirectory: string;
  /** Takes the output of RUN as it comes; to be copied if it is kept. */
  readonly output: (chunk: Buffer) => void;
  /** Is told of each instruction before it is carried out. */
  readonly log?: (line: string) => void;
  /** Is told what went wrong without stopping anything. */
  readonly warn?: (message: string) => void;
  /** Finds another image, for `COPY --from`. */
  readonly openImage?: (reference: string) => Promise<SourceImage>;
  /** Stops it: a RUN with all that it started, a download, a copy. */
  readonly signal: AbortSignal;
}

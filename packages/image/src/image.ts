import type { ImageConfig } from "./config.ts";
import type { Digest } from "./digest.ts";
import type { Layer } from "./layer.ts";
import type { Manifest } from "./manifest.ts";
import type { Platform } from "./platform.ts";

/** What an image's digest stands for: its manifest, which names the config by digest, byte for byte. */
export interface ImageBytes {
  readonly manifest: Uint8Array;
  readonly config: Uint8Array;
}

/** An image as it lies in a store. It does not change; `ImageDraft` makes a new one from it. */
export interface Image {
  /** The name by which it was opened; of a layout, its directory. */
  readonly name: string;

  /**
   * The name of exactly this image, whatever becomes of its tag. Registry: `<registry>/<repository>@<digest>`;
   * layout: `<path>@<digest>`; daemon: the image ID, 64 hex digits. Opening it gives the same image again.
   */
  readonly identifier: string;

  /** The ID in its daemon, 64 hex digits; undefined for images that are not in one. */
  readonly imageId?: string;

  /** The config, with the fields that this project does not know. */
  readonly config: ImageConfig;

  /**
   * The manifest that the config was found by, with the fields that this project does not know; undefined in a daemon,
   * where images have none.
   */
  readonly manifest: Manifest | undefined;

  /** Manifest and config as they were read and verified, for copies that keep the digest; undefined in a daemon. */
  readonly bytes?: ImageBytes | undefined;

  /** Operating system and architecture, as the config says. */
  readonly platform: Platform;

  /** The config's labels; an unlabelled image has an empty map. */
  readonly labels: ReadonlyMap<string, string>;

  /** The config's environment, each entry `NAME=value`, in the config's order. */
  readonly env: readonly string[];

  /** The layers, base layer first; as many as the config has diff ids. */
  readonly layers: readonly Layer[];

  /** The diff id of the last layer; undefined for an image without layers. */
  readonly topLayer: Digest | undefined;
}

/** What {@link makeStack} made. */
export interface Stack {
  /** The run image in OCI layout. */
  run: string;
  /** The build image's root file system. */
  build: string;
  distribution: { name: string; version: string };
}

export function makeStack(directory: string): Promise<Stack>;

/** What {@link makeDebianStack} made: images in OCI layout. */
export interface DebianStack {
  run: string;
  build: string;
}

export function makeDebianStack(directory: string): Promise<DebianStack>;

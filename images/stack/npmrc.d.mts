export function writeNpmrcBinding(directory: string, inside: string): Promise<void>;

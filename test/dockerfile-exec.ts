/** The child process of RUN, for tests: `bun dockerfile-exec.ts <file>`. In the executables it is one of their names. */
import { execInRoot } from "../packages/dockerfile/src/exec-in-root.ts";

process.exit(execInRoot(process.argv[2] ?? ""));

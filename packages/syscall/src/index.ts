export { textOfCode, textOfErrno } from "./error-texts.ts";
export { messageOf, reasonOf, systemCode } from "./errors.ts";
export { type Libc, libc } from "./libc.ts";

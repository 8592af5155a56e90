import { describe, expect, it } from "vitest";
import { parseChmod } from "./chmod-flag.ts";

describe("--chmod", () => {
  it.each([
    ["755", 0o644, 0o755, 0o755],
    ["04711", 0o644, 0o4711, 0o4711],
    ["+x", 0o644, 0o755, 0o755],
    ["u=rwX,go=rX", 0o600, 0o644, 0o755],
    ["a=rX", 0o750, 0o555, 0o555],
    ["go=u", 0o640, 0o666, 0o666],
    ["o-rwx,g-w+x", 0o666, 0o650, 0o650],
    ["g=u-w", 0o640, 0o640, 0o640],
    ["=", 0o7777, 0o1000, 0o1000],
    ["u+s,g+s,+t", 0o755, 0o7755, 0o7755],
    ["o+st", 0o755, 0o755, 0o755],
    ["u-X", 0o755, 0o655, 0o655],
    ["g=o", 0o2754, 0o2744, 0o2744],
  ])("of %s makes of a file's %o %o, and of a directory's %o", (text, mode, file, directory) => {
    const change = parseChmod(text);
    expect([change.apply(mode, false), change.apply(mode, true)]).toEqual([file, directory]);
  });

  it.each(["", "888", "10000", "u", "x+r", "u=rwz", "g=ur", "+x,", "u+x g+x"])("refuses %j", (text) => {
    expect(() => parseChmod(text)).toThrow(`--chmod=${text} is neither octal up to 7777 nor symbolic`);
  });
});

import { describe, expect, it } from "vitest";
import { parseMount } from "./mount-flag.ts";

describe("the value of --mount", () => {
  it.each([
    ["type=cache,dst=/c/,id=i,mode=0700,uid=5", { type: "cache", target: "/c/", id: "i", mode: 0o700, uid: 5 }],
    ["type=cache,target=/c/", { id: "/c" }],
    ["target=/b,src=x,ro", { type: "bind", target: "/b", source: "x" }],
    ["from=,target=/a", { from: undefined }],
    ["from=other", { type: "bind", target: "", source: "/", from: "other" }],
    ["type=secret,id=s,required", { type: "secret", target: "/run/secrets/s", id: "s", required: true }],
    ["type=secret,id=a/b", { target: "/run/secrets/b", id: "a/b" }],
    ["type=secret,id=s,env=S", { target: "", env: "S" }],
    ["type=secret,target=/etc/key,required=0", { id: "key", required: false }],
  ])("of %s", (text, expected) => {
    expect(parseMount(text)).toMatchObject(expected);
  });

  it("is expanded part by part", () => {
    const values: Record<string, string> = { $T: "Cache", $D: "/a,b=c" };
    const expand = (value: string) => values[value] ?? value;
    expect(parseMount("type=$T,target=$D", expand)).toMatchObject({ type: "cache", target: "/a,b=c" });
  });
});

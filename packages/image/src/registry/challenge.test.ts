import { expect, test } from "vitest";
import { parseChallenge } from "./challenge.ts";

test.each([
  [
    'Bearer realm="https://a/token",service="reg",scope="repository:x:pull,push"',
    "bearer",
    { realm: "https://a/token", service: "reg", scope: "repository:x:pull,push" },
  ],
  ['BASIC Realm="Registry \\"x\\""', "basic", { realm: 'Registry "x"' }],
  ['Negotiate, Basic realm="x"', "basic", { realm: "x" }],
  ["Negotiate abc, Bearer realm=https://a/t , service=b", "bearer", { realm: "https://a/t", service: "b" }],
  ["Basic", "basic", {}],
])("%s", (header, scheme, parameters) => {
  const challenge = parseChallenge(header);
  expect(challenge?.scheme).toBe(scheme);
  expect(Object.fromEntries(challenge?.parameters ?? [])).toEqual(parameters);
});

test.each([undefined, "", "Negotiate", 'Digest realm="x"'])("%s cannot be answered", (header) => {
  expect(parseChallenge(header)).toBeUndefined();
});

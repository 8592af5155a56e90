import { expect, test } from "vitest";
import type { DescriptorPlatform } from "./descriptor.ts";
import { type Platform, satisfies } from "./platform.ts";

const amd64 = { os: "linux", architecture: "amd64" };
const arm = { os: "linux", architecture: "arm", variant: "v7" };

test.each<[DescriptorPlatform | undefined, Platform, boolean]>([
  [amd64, amd64, true],
  [{ ...amd64, variant: "v3" }, amd64, true],
  [arm, amd64, false],
  [{ os: "linux", architecture: "arm" }, arm, false],
  [undefined, amd64, true],
  [undefined, arm, false],
])("an index entry for %j and the platform %j", (offered, wanted, fits) => {
  expect(satisfies(offered, wanted)).toBe(fits);
});

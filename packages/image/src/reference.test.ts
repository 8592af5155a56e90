import { expect, test } from "vitest";
import { mayBePlain, parseReference } from "./reference.ts";

const hex = "a".repeat(64);

test.each([
  ["busybox", "index.docker.io/library/busybox:latest"],
  ["x", "index.docker.io/library/x:latest"],
  ["some/app:v1", "index.docker.io/some/app:v1"],
  ["docker.io/busybox", "index.docker.io/library/busybox:latest"],
  ["docker.io/some/app", "index.docker.io/some/app:latest"],
  ["localhost/app", "localhost/app:latest"],
  ["localhost:5000/app", "localhost:5000/app:latest"],
  ["registry.example.com/a/b/c:1.2-rc_3", "registry.example.com/a/b/c:1.2-rc_3"],
  ["[::1]:5000/app", "[::1]:5000/app:latest"],
  ["10.0.0.1:80/app", "10.0.0.1:80/app:latest"],
  ["my_registry.local:5000/a__b/c-d.e", "my_registry.local:5000/a__b/c-d.e:latest"],
  [`app@sha256:${hex}`, `index.docker.io/library/app@sha256:${hex}`],
  [`host.io/app:tag@sha256:${hex}`, `host.io/app@sha256:${hex}`],
])("%s is %s", (text, name) => {
  expect(parseReference(text).name).toBe(name);
});

test.each([
  ["", /no repository name/],
  ["App", /must be lowercase/],
  ["host.io/Some/app", /must be lowercase/],
  ["app:", /a tag has/],
  ["app:-x", /a tag has/],
  [`app:${"t".repeat(129)}`, /a tag has/],
  ["host.io/", /no repository name/],
  ["host.io/../../etc/passwd", /a repository name has/],
  ["host.io/a//b", /a repository name has/],
  ["a..b", /a repository name has/],
  ["host.io:99999/app", /not a host/],
  ["ho st.io/app", /not a host/],
  ["app@sha256:abc", /what follows @/],
  [`app@md5:${hex}`, /what follows @/],
  [`app@sha256:${hex}@sha256:${hex}`, /what follows @/],
  [`host.io/${"a".repeat(256)}`, /longer than 255/],
])("%s is refused", (text, reason) => {
  expect(() => parseReference(text)).toThrow(reason);
  expect(() => parseReference(text)).toThrow(`could not parse reference: ${text}`);
});

test.each([
  "localhost:5000",
  "127.0.0.1:5000",
  "127.0.0.1",
  "[::1]:80",
  "reg.localhost",
  "10.1.2.3:5000",
  "172.31.0.1",
])("%s may be asked over plain HTTP", (registry) => {
  expect(mayBePlain(registry)).toBe(true);
});

test.each(["index.docker.io", "localhost", "172.32.0.1", "10.example.com", "127.0.0.1.example.com", "192.168.1.com"])(
  "%s must be asked over TLS",
  (registry) => {
    expect(mayBePlain(registry)).toBe(false);
  },
);

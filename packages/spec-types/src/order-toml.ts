import type { GroupElement } from "./group-toml.ts";

/** One group of an order: what must pass detection together. */
export interface OrderGroup {
  readonly group: readonly GroupElement[];
}

/** order.toml: the groups to try, best first (platform.md, "order.toml"). */
export interface Order {
  readonly order: readonly OrderGroup[];
  readonly orderExtensions: readonly OrderGroup[];
}

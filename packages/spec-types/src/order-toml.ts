import { type Reader, readToml } from "./decode.ts";
import { type GroupElement, readExtensionElement, readGroupElement } from "./group-toml.ts";

/** One group of an order: what must pass detection together. */
export interface OrderGroup {
  readonly group: readonly GroupElement[];
}

/** order.toml: the groups to try, best first (platform.md, "order.toml"). */
export interface Order {
  readonly order: readonly OrderGroup[];
  readonly orderExtensions: readonly OrderGroup[];
}

/** Reads order.toml. @throws FormatError */
export function parseOrder(text: string, file: string): Order {
  const reader = readToml(text, file);
  return {
    order: reader.tables("order", readOrderGroup),
    orderExtensions: reader.tables("order-extensions", (group) => ({
      group: group.tables("group", readExtensionElement),
    })),
  };
}

export function readOrderGroup(reader: Reader): OrderGroup {
  return { group: reader.tables("group", readGroupElement) };
}

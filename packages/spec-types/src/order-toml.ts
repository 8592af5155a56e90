import { type Reader, readToml } from "./decode.ts";
import { type GroupElement, groupElementRecord, readExtensionElement, readGroupElement } from "./group-toml.ts";
import { ifAny, record } from "./ordered.ts";
import { formatToml } from "./toml-writer.ts";

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

/** Writes order.toml. That extensions are extensions, and optional, goes without saying there. */
export function formatOrder({ order, orderExtensions }: Order): string {
  return formatToml(
    record({
      order: order.map(({ group }) => record({ group: group.map(groupElementRecord) })),
      "order-extensions": ifAny(
        orderExtensions.map(({ group }) =>
          record({ group: group.map(({ extension: _, optional: __, ...each }) => groupElementRecord(each)) }),
        ),
      ),
    }),
  );
}

export function readOrderGroup(reader: Reader): OrderGroup {
  return { group: reader.tables("group", readGroupElement) };
}

import type { GroupElement, Order, OrderGroup, System, SystemBuildpack } from "@lifecycle/spec-types";
import type { DirStore } from "./dir-store.ts";
import type { Logger } from "./logger.ts";
import { kindOf, nameOf } from "./module.ts";

/** An element of a group before detection: a buildpack, or the choice among all groups of extensions. */
export type Candidate =
  | { readonly kind: "element"; readonly element: GroupElement }
  | { readonly kind: "extensions"; readonly order: readonly OrderGroup[] };

/**
 * Checks the Buildpack API of a buildpack or an extension.
 *
 * @param kind "Buildpack" or "Extension"
 * @param name `<id>@<version>`
 * @throws if the API is not supported
 */
export type VerifyApi = (kind: string, name: string, api: string) => void;

/**
 * The order with the system buildpacks around each group, without those that the group names itself. Platform spec,
 * "system.toml".
 */
export function mergeSystemBuildpacks(
  order: readonly OrderGroup[],
  system: System,
  logger: Logger,
): readonly OrderGroup[] {
  if (system.pre.length === 0 && system.post.length === 0) return order;
  return order.map(({ group }) => {
    const pre = withoutMembers(system.pre, group);
    const post = withoutMembers(system.post, group);
    if (pre.length > 0) logger.debug(`Prepending ${pre.length} system buildpack(s) to group`);
    if (post.length > 0) logger.debug(`Appending ${post.length} system buildpack(s) to group`);
    return { group: [...pre, ...group, ...post] };
  });
}

/**
 * Checks that what the order names exists and implements a supported API. What composite buildpacks name is looked at
 * when it is its turn.
 */
export function verifyOrder(order: Order, store: DirStore, verify: VerifyApi): void {
  const groups = [...order.order, ...order.orderExtensions.map(asExtensions)];
  for (const element of groups.flatMap(({ group }) => group)) {
    const kind = kindOf(element);
    verify(kind, nameOf(element), store.lookup(kind, element.id, element.version).api);
  }
}

/**
 * The groups to try: those of the order, with the extensions, where there are any, before the first buildpack of each.
 * Buildpack spec, "Order Resolution".
 */
export function prependExtensions({ order, orderExtensions }: Order): readonly (readonly Candidate[])[] {
  const extensions: Candidate[] =
    orderExtensions.length === 0 ? [] : [{ kind: "extensions", order: orderExtensions.map(asExtensions) }];
  return order.map(({ group }) => [...extensions, ...asCandidates(group)]);
}

/** The elements of a group as candidates. */
export function asCandidates(group: readonly GroupElement[]): readonly Candidate[] {
  return group.map((element) => ({ kind: "element", element }));
}

/** Extensions are always optional. */
function asExtensions({ group }: OrderGroup): OrderGroup {
  return { group: group.map((element) => ({ ...element, extension: true, optional: true })) };
}

function withoutMembers(system: readonly SystemBuildpack[], group: readonly GroupElement[]): readonly GroupElement[] {
  return system.filter(({ id }) => group.every((element) => element.id !== id));
}

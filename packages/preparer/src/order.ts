import type { GroupElement, Order, OrderGroup, ProjectBuildpack, ProjectDescriptor } from "@lifecycle/spec-types";
import { failure } from "./errors.ts";

/** What a buildpack of project.toml turned out to be. */
export type Resolved =
  | { readonly kind: "builder-order" }
  | { readonly kind: "buildpack"; readonly element: GroupElement };

/** The buildpacks that project.toml asks for in an execution environment (RFC "Execution Environments"). */
export function forExecEnv<T extends { readonly execEnv: readonly string[] }>(
  all: readonly T[],
  execEnv: string,
): readonly T[] {
  return all.filter(
    (each) => each.execEnv.length === 0 || each.execEnv.includes("*") || each.execEnv.includes(execEnv),
  );
}

/** What of a descriptor makes the order. */
export type Declared = Pick<ProjectDescriptor, "group" | "pre" | "post">;

/**
 * The order that project.toml asks for: its own group, in which `from=builder` stands for each group of the builder's;
 * else the builder's groups between `pre` and `post`.
 *
 * @param resolve is called for each buildpack once, in order
 * @returns undefined if the builder's order stays what it is
 * @throws LifecycleError with exit code 111 if `from=builder` stands twice, or among `pre` and `post`
 */
export async function makeOrder(
  { group, pre, post }: Declared,
  builderOrder: Order,
  resolve: (buildpack: ProjectBuildpack) => Promise<Resolved>,
): Promise<Order | undefined> {
  if (group.length > 0) {
    return { ...builderOrder, order: await ownOrder(group, builderOrder, resolve) };
  }
  if (pre.length + post.length === 0) return undefined;
  const [before, after] = [await elementsOf(pre, resolve), await elementsOf(post, resolve)];
  return {
    ...builderOrder,
    order: builderOrder.order.map((each) => ({ group: [...before, ...each.group, ...after] })),
  };
}

async function ownOrder(
  group: readonly ProjectBuildpack[],
  builderOrder: Order,
  resolve: (buildpack: ProjectBuildpack) => Promise<Resolved>,
): Promise<readonly OrderGroup[]> {
  let order: readonly OrderGroup[] = [{ group: [] }];
  let withBuilder = false;
  for (const buildpack of group) {
    const resolved = await resolve(buildpack);
    if (resolved.kind === "buildpack") {
      order = order.map((each) => ({ group: [...each.group, resolved.element] }));
      continue;
    }
    if (withBuilder) {
      throw failure("invalidDescriptor", `${buildpack.place}: buildpacks from builder can only be defined once`);
    }
    withBuilder = true;
    const before = order[0]?.group ?? [];
    order = builderOrder.order.map((each) => ({ group: [...before, ...each.group] }));
  }
  return order;
}

async function elementsOf(
  buildpacks: readonly ProjectBuildpack[],
  resolve: (buildpack: ProjectBuildpack) => Promise<Resolved>,
): Promise<readonly GroupElement[]> {
  const elements: GroupElement[] = [];
  for (const buildpack of buildpacks) {
    const resolved = await resolve(buildpack);
    if (resolved.kind === "builder-order") {
      throw failure("invalidDescriptor", `${buildpack.place}: the builder's order is there anyway; remove it here`);
    }
    elements.push(resolved.element);
  }
  return elements;
}

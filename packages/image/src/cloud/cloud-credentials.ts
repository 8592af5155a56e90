import type { Credentials } from "../credentials.ts";
import { ImageError } from "../errors.ts";
import { acrCredentials, isAcr } from "./acr.ts";
import { type CloudEnv, CloudHttp } from "./cloud-http.ts";
import { ecrCredentials, isEcr } from "./ecr.ts";

const vendors = [
  { name: "AMAZON", owns: isEcr, credentials: ecrCredentials },
  { name: "AZURE", owns: isAcr, credentials: acrCredentials },
] as const;

/**
 * Credentials that a cloud gives to its workloads for its registries, without any being configured.
 * `CNB_REGISTRY_AUTH_KEYCHAIN_SKIP_AMAZON` and `…_AZURE` set to `true` keep it from being asked.
 * @param registries of which those of no cloud are passed over
 * @param warn told why a cloud gave none, where there was an identity to ask with
 */
export async function cloudCredentials(
  registries: Iterable<string>,
  env: CloudEnv,
  warn: (message: string) => void,
): Promise<ReadonlyMap<string, Credentials>> {
  const found = new Map<string, Credentials>();
  let http: CloudHttp | undefined;
  for (const registry of new Set(registries)) {
    const vendor = vendors.find(({ owns }) => owns(registry));
    if (vendor === undefined || env[`CNB_REGISTRY_AUTH_KEYCHAIN_SKIP_${vendor.name}`] === "true") continue;
    http ??= new CloudHttp(env);
    try {
      const credentials = await vendor.credentials(registry, env, http);
      if (credentials !== undefined) found.set(registry, credentials);
    } catch (error) {
      if (!(error instanceof ImageError)) throw error;
      warn(`credentials for ${registry} cannot be had: ${error.message}`);
    }
  }
  await http?.close();
  return found;
}

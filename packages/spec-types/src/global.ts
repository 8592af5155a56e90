// The TOML library asks for Node's name of the global object, which QuickJS does not have.
if (!("global" in globalThis)) {
  Object.defineProperty(globalThis, "global", { value: globalThis });
}

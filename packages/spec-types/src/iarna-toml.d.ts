declare module "@iarna/toml/parse-string" {
  /** @throws Error with `pos`, the offset after the offending character, in UTF-16 units */
  function parseString(text: string): Record<string, unknown>;
  export = parseString;
}

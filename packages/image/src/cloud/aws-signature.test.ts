import { expect, test } from "vitest";
import { signedHeaders } from "./aws-signature.ts";

test("a request is signed as Amazon's documentation signs it", () => {
  const headers = signedHeaders(
    {
      method: "GET",
      url: new URL("https://iam.amazonaws.com/?Version=2010-05-08&Action=ListUsers"),
      headers: { "content-type": "application/x-www-form-urlencoded; charset=utf-8" },
      body: Buffer.alloc(0),
    },
    { id: "AKIDEXAMPLE", secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" },
    { region: "us-east-1", service: "iam" },
    new Date("2015-08-30T12:36:00Z"),
  );
  expect(headers.authorization).toBe(
    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, " +
      "SignedHeaders=content-type;host;x-amz-date, " +
      "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
  );
});

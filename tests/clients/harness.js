// What the scripts of this folder share.

"use strict";

const assert = require("node:assert/strict");

// Waits until something holds.
async function eventually(condition) {
  const deadline = Date.now() + 30_000;
  while (!condition()) {
    assert.ok(Date.now() < deadline, "it does not come true");
    await new Promise(setImmediate);
  }
}

// Runs a script: what it throws is its failure.
function start(main) {
  main().catch((error) => {
    console.error(error);
    process.exit(1);
  });
}

module.exports = { eventually, start };

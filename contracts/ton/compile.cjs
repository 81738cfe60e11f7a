// Compiles the contracts to build/*.json; with --check compares instead of writing.
// Deterministic: pinned compiler, no time, no paths, sources in the compiler's own order.
'use strict';
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { runTolkCompiler } = require('@ton/tolk-js');

const ROOT = __dirname;
const TOLK = '1.3.0';
const PRODUCTS = {
  Settlement: 'src/settlement/settlement.tolk',
  Distributor: 'src/distributor/distributor.tolk',
  Claimant: 'src/distributor/claimant.tolk',
  Treasury: 'src/treasury/treasury.tolk',
  GovernorLog: 'src/governor/governor.tolk',
  Multisig: 'testing/multisig.tolk',
  JettonMinter: 'testing/jetton_minter.tolk',
  JettonWallet: 'testing/jetton_wallet.tolk',
  Pool: 'testing/pool.tolk',
};

const sha256 = (content) => crypto.createHash('sha256').update(content).digest('hex');
const read = (name) => fs.readFileSync(path.join(ROOT, name), 'utf8');

async function compile(contract, entry) {
  const done = await runTolkCompiler({ entrypointFileName: entry, fsReadCallback: read });
  if (done.status === 'error') throw new Error(`${entry}: ${done.message}`);
  if (done.stderr) throw new Error(`${entry}: ${done.stderr}`);
  if (done.tolkVersion !== TOLK) throw new Error(`this is Tolk ${done.tolkVersion}, not ${TOLK}: run npm ci`);
  const ours = done.sourcesSnapshot.map((source) => source.filename).filter((name) => !name.startsWith('@'));
  const sources = Object.fromEntries(ours.sort().map((name) => [name, sha256(read(name))]));
  return { contract, compiler: `tolk ${TOLK}`, code_hash: done.codeHashHex.toLowerCase(), code: done.codeBoc64, sources };
}

async function main() {
  const check = process.argv.includes('--check');
  const wanted = process.argv.slice(2).filter((word) => !word.startsWith('--'));
  let differing = 0;
  for (const [contract, entry] of Object.entries(PRODUCTS)) {
    if (wanted.length && !wanted.includes(contract)) continue;
    const file = path.join(ROOT, 'build', `${contract}.json`);
    const text = JSON.stringify(await compile(contract, entry), null, 1) + '\n';
    if (!check) {
      fs.writeFileSync(file, text);
    } else if (!fs.existsSync(file) || fs.readFileSync(file, 'utf8') !== text) {
      console.error(`${file} is not what the sources compile to: run compile.cjs`);
      differing += 1;
    }
  }
  process.exit(differing ? 1 : 0);
}

main().catch((error) => {
  console.error(error.message);
  process.exit(1);
});

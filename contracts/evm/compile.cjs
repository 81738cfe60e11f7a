// Compiles the contracts to build/*.json; with --check compares instead of writing.
// Deterministic: pinned compiler, no metadata, sources in a fixed order.
'use strict';
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const solc = require('solc');

const ROOT = __dirname;
const FOLDERS = ['src/interfaces', 'src/libraries', 'src/parts', 'src', 'testing'];
const PRODUCTS = [
  'Settlement', 'Treasury', 'Distributor', 'GovernorLog',
  'Multisig', 'Pool', 'SmartWallet', 'TestToken', 'SilentToken', 'HostileToken', 'FeeToken', 'GuardedToken', 'RebasingToken',
];
const SETTINGS = {
  evmVersion: 'cancun',
  viaIR: true,
  optimizer: { enabled: true, runs: 1000000 },
  metadata: { bytecodeHash: 'none', appendCBOR: false },
  outputSelection: { '*': { '*': ['abi', 'evm.bytecode.object'] } },
};

const sha256 = (content) => crypto.createHash('sha256').update(content).digest('hex');

function readSources() {
  const names = FOLDERS.flatMap((folder) =>
    fs.readdirSync(path.join(ROOT, folder)).filter((name) => name.endsWith('.sol')).map((name) => `${folder}/${name}`));
  return Object.fromEntries(names.sort().map((name) => [name, { content: fs.readFileSync(path.join(ROOT, name), 'utf8') }]));
}

function readImport(name) {
  const file = path.join(ROOT, 'node_modules', name);
  return fs.existsSync(file) ? { contents: fs.readFileSync(file, 'utf8') } : { error: `no ${name}: run npm ci` };
}

// One hash over everything of ours that decides the bytes: sources, lock, this program.
function hashOf(sources) {
  const files = [...Object.keys(sources), 'compile.cjs', 'package-lock.json'].sort();
  const lines = files.map((name) => `${sha256(fs.readFileSync(path.join(ROOT, name)))}  ${name}\n`);
  return sha256(lines.join(''));
}

function compile() {
  const sources = readSources();
  const input = { language: 'Solidity', sources, settings: SETTINGS };
  const output = JSON.parse(solc.compile(JSON.stringify(input), { import: readImport }));
  // Warnings about other people's files are theirs; an error or a warning of ours stops here.
  const ours = (finding) => !finding.sourceLocation || !finding.sourceLocation.file.startsWith('@');
  const findings = (output.errors || []).filter((finding) => finding.severity === 'error' || ours(finding));
  for (const finding of findings) console.error(finding.formattedMessage);
  if (findings.length) process.exit(1);
  const source_sha256 = hashOf(sources);
  return PRODUCTS.map((contract) => {
    const [, units] = Object.entries(output.contracts).find(([file]) => path.basename(file) === `${contract}.sol`);
    const { abi, evm } = units[contract];
    return { contract, compiler: solc.version(), source_sha256, abi, bytecode: '0x' + evm.bytecode.object };
  });
}

function main() {
  const check = process.argv.includes('--check');
  let differing = 0;
  for (const artefact of compile()) {
    const file = path.join(ROOT, 'build', `${artefact.contract}.json`);
    const text = JSON.stringify(artefact, null, 1) + '\n';
    if (!check) {
      fs.writeFileSync(file, text);
    } else if (!fs.existsSync(file) || fs.readFileSync(file, 'utf8') !== text) {
      console.error(`${file} is not what the sources compile to: run compile.cjs`);
      differing += 1;
    }
  }
  process.exit(differing ? 1 : 0);
}

main();

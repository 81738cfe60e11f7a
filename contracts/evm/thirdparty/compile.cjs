// Compiles the one peer whose npm package ships sources only; writes {abi, bytecode} to the file named.
'use strict';
const fs = require('node:fs');
const path = require('node:path');
const solc = require('solc');

const PRODUCT = '@1inch/limit-order-protocol-contract/contracts/LimitOrderProtocol.sol';
const SETTINGS = {
  evmVersion: 'cancun',
  viaIR: true,
  optimizer: { enabled: true, runs: 1000000 },
  outputSelection: { [PRODUCT]: { LimitOrderProtocol: ['abi', 'evm.bytecode.object'] } },
};

function readImport(name) {
  const file = path.join(__dirname, 'node_modules', name);
  return fs.existsSync(file) ? { contents: fs.readFileSync(file, 'utf8') } : { error: `no ${name}: run npm ci` };
}

function main(target) {
  const sources = { [PRODUCT]: { content: readImport(PRODUCT).contents } };
  const input = { language: 'Solidity', sources, settings: SETTINGS };
  const output = JSON.parse(solc.compile(JSON.stringify(input), { import: readImport }));
  const errors = (output.errors || []).filter((finding) => finding.severity === 'error');
  for (const finding of errors) console.error(finding.formattedMessage);
  if (errors.length) process.exit(1);
  const { abi, evm } = output.contracts[PRODUCT].LimitOrderProtocol;
  fs.writeFileSync(target, JSON.stringify({ abi, bytecode: '0x' + evm.bytecode.object }));
}

main(process.argv[2]);

// The TVM and its accounts behind JSON lines: one request on stdin, one answer on stdout, in order.
// A delivery is one message and thus one transaction; which message comes next is the caller's choice.
'use strict';
const path = require('node:path');
const readline = require('node:readline');

const modules = process.argv[2];
const need = (name) => require(require.resolve(name, { paths: [path.dirname(modules)] }));
const { Blockchain, SmartContract, createShardAccount, defaultConfig } = need('@ton/sandbox');
const {
  Address, Cell, Dictionary, beginCell, loadMessage, loadShardAccount, parseTuple, serializeTuple,
  storeMessage, storeShardAccount,
} = need('@ton/core');

const GLOBAL_ID_PARAM = 19;
const SNAPSHOTS_MAX = 64;
const TEXT_MAX = 500;
// As liteservers answer for an account without code.
const NOT_ACTIVE = -256;

const base64 = (cell) => cell.toBoc().toString('base64');
const snapshots = new Map();
let chain;

function accountOf(contract) {
  return base64(beginCell().store(storeShardAccount(contract.account)).endCell());
}

// The network's number is part of what is signed, so a local signature never fits another network.
function configFor(globalId) {
  const params = Cell.fromBase64(defaultConfig).beginParse().loadDictDirect(Dictionary.Keys.Int(32), Dictionary.Values.Cell());
  params.set(GLOBAL_ID_PARAM, beginCell().storeInt(globalId, 32).endCell());
  return beginCell().storeDictDirect(params).endCell();
}

function describe(tx, contract) {
  const phases = tx.description;
  const compute = phases.computePhase;
  const out = [];
  const logs = [];
  for (const message of tx.outMessages.values()) {
    const boc = base64(beginCell().store(storeMessage(message)).endCell());
    if (message.info.type === 'internal') {
      const { src, dest } = message.info;
      out.push({ boc, src: src.toRawString(), dest: dest.toRawString() });
    } else {
      logs.push(base64(message.body));
    }
  }
  return {
    lt: tx.lt.toString(),
    hash: tx.hash().toString('hex'),
    now: tx.now,
    boc: base64(tx.raw),
    exit: compute?.type === 'vm' ? compute.exitCode : null,
    skipped: compute?.type === 'skipped' ? compute.reason : null,
    gas: compute?.type === 'vm' ? Number(compute.gasUsed) : 0,
    action: phases.actionPhase?.resultCode ?? null,
    aborted: Boolean(phases.aborted),
    fees: tx.totalFees.coins.toString(),
    account: accountOf(contract),
    out,
    logs,
  };
}

const operations = {
  async boot({ now, globalId }) {
    chain = await Blockchain.create({ config: configFor(globalId) });
    chain.now = now;
    chain.verbosity = { print: false, blockchainLogs: false, vmLogs: 'none', debugLogs: false };
    snapshots.clear();
    return { config: base64(chain.config) };
  },
  async now({ now }) {
    chain.now = now;
    return {};
  },
  async deliver({ boc }) {
    const message = loadMessage(Cell.fromBase64(boc).beginParse());
    const contract = await chain.getContract(message.info.dest);
    const lt = chain.currentLt;
    chain.increaseLt();
    try {
      return describe(await contract.receiveMessage(message), contract);
    } catch (error) {
      // What was refused has not happened: it takes no logical time either.
      chain.currentLt = lt;
      throw error;
    }
  },
  async account({ address }) {
    return { boc: accountOf(await chain.getContract(Address.parse(address))) };
  },
  async put({ address, boc }) {
    const contract = await chain.getContract(Address.parse(address));
    contract.account = loadShardAccount(Cell.fromBase64(boc).beginParse());
    return {};
  },
  // A genesis account: what no message has made.
  async found({ address, nano, code, data }) {
    const at = Address.parse(address);
    const contract = await chain.getContract(at);
    contract.account = createShardAccount({
      address: at, balance: BigInt(nano), code: Cell.fromBase64(code), data: Cell.fromBase64(data),
    });
    return { boc: accountOf(contract) };
  },
  // `account`, when given, is the state to run on: what the contract was at an earlier block.
  async get({ address, method, stack, account, now }) {
    const state = account ? loadShardAccount(Cell.fromBase64(account).beginParse()) : null;
    if (state && !state.account) return { exit: NOT_ACTIVE, gas: 0, stack: null };
    const contract = state ? new SmartContract(state, chain) : await chain.getContract(Address.parse(address));
    if (contract.accountState?.type !== 'active') return { exit: NOT_ACTIVE, gas: 0, stack: null };
    try {
      const done = await contract.get(method, stack ? parseTuple(Cell.fromBase64(stack)) : [], { now: now ?? chain.now });
      return { exit: done.exitCode, gas: Number(done.gasUsed), stack: base64(serializeTuple(done.stack)) };
    } catch (error) {
      if (error.exitCode === undefined) throw error;
      return { exit: error.exitCode, gas: Number(error.gasUsed ?? 0), stack: null };
    }
  },
  async snapshot({ name }) {
    if (snapshots.size >= SNAPSHOTS_MAX && !snapshots.has(name)) throw new Error(`more than ${SNAPSHOTS_MAX} snapshots`);
    snapshots.set(name, chain.snapshot());
    return {};
  },
  async restore({ name }) {
    if (!snapshots.has(name)) throw new Error(`no snapshot ${name}`);
    await chain.loadFrom(snapshots.get(name));
    return {};
  },
};

async function answer(line) {
  let id = null;
  try {
    const request = JSON.parse(line);
    id = request.id;
    if (!Object.hasOwn(operations, request.op)) throw new Error(`no operation ${request.op}`);
    return { id, ok: await operations[request.op](request) };
  } catch (error) {
    const text = String(error.message).slice(0, TEXT_MAX);
    return { id, error: { name: error.constructor.name, text, exit: error.exitCode ?? null } };
  }
}

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    process.stdout.write(`${JSON.stringify(await answer(line))}\n`);
  }
})();

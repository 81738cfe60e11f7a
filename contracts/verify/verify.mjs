// Proves an audit export against an EVM chain, sharing no code with the desk that wrote it.
//   node verify.mjs EXPORT RPC_URL [AUDITOR]      exit code 0: all holds; 1: it does not; 2: the call is wrong
//
// AUDITOR is the auditor's ed25519 public key in hex: the export must then be signed by it. Every intent: its id and
// content hash are recomputed; its transaction, signatures, calldata, receipt, events and transfers are read from the
// node; what was not paid must have its replay key unset. Every transfer of a vault must be explained, once. Ledger and
// chain balances are summed anew.
import { createHash, createPublicKey, verify as isSigned } from "node:crypto";
import { readFileSync } from "node:fs";
import { Interface, JsonRpcProvider, Transaction, TypedDataEncoder, ZeroAddress, recoverAddress, zeroPadValue } from "ethers";
const [FORMAT, LOG_BLOCKS] = ["dmm/audit-export/1", 2000];
const LINE_TYPES = ["header", "intent", "quote", "finding", "posting", "balance", "end"];
const [NEVER_PAID, CARRIERS] = [["FAILED", "CANCELLED"], ["net", "statement"]];
const MAY_OVERDRAW = ["outside", "position", "cash", "fees"];
const QUOTE = "address maker,address signer,address taker,address makerToken,address takerToken,uint256 makerAmount," +
  "uint256 takerAmount,uint256 minFill,uint16 feeBps,address feeRecipient,uint64 expiry,uint64 settleBy," +
  "uint256 nonce,bytes32 quoteId";
const QUOTE_FIELDS = ["chain", "contract", "maker", "signer", "taker", "maker_asset", "taker_asset", "maker_amount",
  "taker_amount", "fee_bps", "fee_recipient", "expiry_s", "settle_by_s", "nonce", "min_fill"];
const members = (text) => text.split(",").map((each) => each.split(" ")).map(([type, name]) => ({ type, name }));
const TYPES = { Quote: members(QUOTE) };
const ACCEPTANCE = { Acceptance: members("bytes32 quoteId,bytes32 quoteHash,uint256 amount,address recipient") };
const ABI = new Interface([
  "function pay(bytes32 key, address token, address to, uint256 amount, uint256 deadline)",
  `function buyback(bytes32 key, (${QUOTE}) quote, bytes makerSig, uint256 deadline, uint256 minOutput, bool burn)`,
  `function fill((${QUOTE}) quote, bytes, (bytes32 quoteId, uint256 amount, address recipient), bytes)`,
  "function settled(bytes32) view returns (bool)", "function balanceOf(address) view returns (uint256)",
  ...["usedNonces(address,uint256)", "cancelledNonces(address,uint256)", "sequence()"]
    .map((view) => `function ${view} view returns (uint256)`),
  "event Paid(bytes32 indexed key, address indexed token, address indexed to, uint256 amount)",
  "event BoughtBack(bytes32 indexed key, bytes32 indexed quoteId, address paidToken, uint256 paidAmount, " +
    "address boughtToken, uint256 boughtAmount, bool burnt)",
  "event Filled(bytes32 indexed quoteId, address indexed maker, uint256 nonce, uint256 amount)",
  "event StatementSettled(bytes32 indexed batchRoot, address indexed maker, address indexed taker, uint256 count, " +
    "(uint256 word, uint256 mask)[] words)",
  "event ClawedBack(address indexed to, uint256 amount)",
  "event Transfer(address indexed sender, address indexed recipient, uint256 amount)",
]);
const faults = [];
const fail = (name, text) => void faults.push({ name, text });
const [lower, hex] = [(text) => String(text).toLowerCase(), (number) => `0x${number.toString(16)}`];
const same = (a, b) => lower(a) === lower(b);
/** Parse JSON with every number as a BigInt: amounts are wider than a double. */
const parse = (text) => JSON.parse(text, (_, value, { source }) => (typeof value === "number" ? BigInt(source) : value));
/** Return the one byte form of a value: sorted keys, no spaces. */
function canonical(value) {
  if (typeof value === "bigint") return value.toString();
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  return `{${Object.keys(value).sort().map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join(",")}}`;
}
/** Hash parts under a tag: each prefixed by the letter of its kind and its length in 8 bytes. */
function contentId(tag, ...parts) {
  const hash = createHash("sha256");
  for (const part of [tag, ...parts]) {
    const kind = Buffer.isBuffer(part) ? "b" : typeof part === "bigint" ? "i" : "s";
    const body = Buffer.isBuffer(part) ? part : Buffer.from(String(part));
    hash.update(kind).update(body.length.toString(16).padStart(16, "0"), "hex").update(body);
  }
  return hash.digest("hex");
}
const intentId = (i) => contentId("dmm/intent/v1", i.kind, i.chain, i.contract, i.vault, i.scope, i.epoch, i.ordinal);
const contentHash = (i) => contentId("dmm/content/v1", i.asset, i.recipient, i.amount, i.deadline_s,
  Buffer.from(canonical(i.inputs)), Buffer.from(i.supersedes ?? "", "hex"));
/** Tell whether the auditor signed the digest; the prefix makes a bare key one that node reads (RFC 8410). */
function isSignedBy(auditor, { sha256, signature = "" }) {
  const key = createPublicKey({ key: Buffer.from(`302a300506032b6570032100${auditor}`, "hex"), format: "der", type: "spki" });
  const message = Buffer.concat([Buffer.from(`${FORMAT}\n`), Buffer.from(sha256, "hex")]);
  return isSigned(null, message, key, Buffer.from(signature, "hex"));
}
function readExport(path, auditor) {
  const text = readFileSync(path, "utf8");
  const raw = text.split("\n");
  if (raw.pop() !== "") fail("file.cut", "the last line has no end");
  const lines = raw.map(parse);
  lines.filter((body, index) => canonical(body) !== raw[index]).forEach((body) =>
    fail("file.canonical", `a line of type ${body.type} is not in canonical form`));
  const order = lines.map((line) => LINE_TYPES.indexOf(line.type));
  if (order.some((rank, index) => rank < 0 || (index && rank < order[index - 1])))
    fail("file.order", "a line is of no known type or out of order");
  const [header, end] = [lines[0] ?? {}, lines.at(-1) ?? {}];
  if (header.format !== FORMAT) throw new Error(`${path} is no ${FORMAT}`);
  const of = (type) => lines.filter((line) => line.type === type);
  if (of("header").length !== 1 || of("end").length !== 1 || end.lines !== BigInt(lines.length - 1))
    fail("file.count", "the end line counts other lines than there are");
  const body = text.slice(0, text.lastIndexOf("\n", text.length - 2) + 1);
  if (end.sha256 !== createHash("sha256").update(body).digest("hex"))
    fail("file.digest", "the end line's digest is not that of the lines before it");
  if (auditor && !isSignedBy(auditor, end)) fail("file.signature", "the auditor did not sign it");
  return { header, ...Object.fromEntries(LINE_TYPES.slice(1, 6).map((type) => [`${type}s`, of(type)])) };
}
class Node {
  constructor(url, header) {
    this.header = header;
    this.provider = new JsonRpcProvider(url, Number(header.chain_id), { staticNetwork: true, batchMaxCount: 1 });
    this.tokens = new Map(Object.entries(header.tokens).map(([symbol, at]) => [lower(at), symbol]));
    this.vaults = new Map(Object.entries(header.vaults).map(([vault, at]) => [lower(at), vault]));
  }
  send(method, ...params) { return this.provider.send(method, params); }
  block(height) { return this.send("eth_getBlockByNumber", hex(height), false); }
  async view(contract, name, ...values) {
    const call = { to: this.header.contracts[contract] ?? contract, data: ABI.encodeFunctionData(name, values) };
    return ABI.decodeFunctionResult(name, await this.send("eth_call", call, hex(this.latest)))[0];
  }
  /** Return logs of our contracts, and transfers of our tokens from or to a vault, by place. */
  async logs(first, last) {
    const ours = [...this.vaults.keys()].map((address) => zeroPadValue(address, 32));
    const [transfer, tokens] = [ABI.getEvent("Transfer").topicHash, [...this.tokens.keys()]];
    const asked = [{ address: Object.values(this.header.contracts) }, { address: tokens, topics: [transfer, ours] },
      { address: tokens, topics: [transfer, null, ours] }];
    const found = new Map();
    for (let from = first; from <= last; from += LOG_BLOCKS) {
      const span = { fromBlock: hex(from), toBlock: hex(Math.min(from + LOG_BLOCKS - 1, last)) };
      const answers = await Promise.all(asked.map((query) => this.send("eth_getLogs", { ...query, ...span })));
      for (const log of answers.flat()) found.set(`${log.blockHash}/${log.logIndex}`, log);
    }
    return [...found.values()];
  }
  /** Add what a transfer log moves in and out of vaults to `net`, by "vault/asset". */
  moved(log, net) {
    const asset = this.tokens.get(lower(log.address));
    if (asset === undefined) return net;
    const { sender, recipient, amount } = ABI.parseLog(log).args;
    const sides = [[this.vaults.get(lower(sender)), -amount], [this.vaults.get(lower(recipient)), amount]];
    for (const [vault, change] of sides) if (vault !== undefined) add(net, `${vault}/${asset}`, change);
    return net;
  }
  /** Return the events of a contract among logs, by their names. */
  parsed(logs, contract, names) {
    const own = logs.filter((log) => same(log.address, this.header.contracts[contract]));
    return own.map((log) => ABI.parseLog(log)).filter((event) => event && names.includes(event.name));
  }
}
const add = (total, key, change) => total.set(key, (total.get(key) ?? 0n) + change);
const told = (net) => [...net].filter(([, change]) => change).map((pair) => pair.join(" ")).sort().join(", ");
// -- one intent ----------------------------------------------------------------------------------
const typedQuote = (node, q) => ({
  maker: q.maker, signer: q.signer, taker: q.taker, makerToken: node.header.tokens[q.maker_asset],
  takerToken: node.header.tokens[q.taker_asset], makerAmount: q.maker_amount, takerAmount: q.taker_amount,
  minFill: q.min_fill ?? q.taker_amount, feeBps: q.fee_bps, feeRecipient: q.fee_bps ? q.fee_recipient : ZeroAddress,
  expiry: q.expiry_s, settleBy: q.settle_by_s, nonce: q.nonce,
  quoteId: `0x${contentId("dmm/quote/v1", ...QUOTE_FIELDS.filter((name) => name in q).map((name) => q[name]))}`,
});
/** Check that somebody signed a struct for the settlement contract. */
function checkSigned(node, types, value, signature, who, name) {
  const domain = { name: "DMM Settlement", version: "1", chainId: node.header.chain_id,
    verifyingContract: node.header.contracts.settlement };
  try {
    if (same(recoverAddress(TypedDataEncoder.hash(domain, types, value), signature), who)) return;
  } catch { /* a signature that is none */ }
  fail(name, `quote ${value.quoteId} is not signed by ${who}`);
}
/** Return the call that pays an intent, what it moves, and how its event must read. */
function expected(node, intent) {
  const { kind, inputs, intent_id: id } = intent;
  const [at, key] = [`intent ${id}`, `0x${id}`];
  const effect = new Map([[`${intent.vault}/${intent.asset}`, -intent.amount]]);
  const token = node.header.tokens[intent.asset];
  if (CARRIERS.includes(kind)) {
    // It moves nothing itself: its members are intents of their own, and its transaction settles all of them.
    const members = inputs.trades.map(({ quote, acceptance }) => settles(typedQuote(node, quote), acceptance.amount));
    return { contract: "settlement", effect: new Map(), names: ["Filled", "StatementSettled"], members };
  }
  if (kind === "reward") {
    const data = ABI.encodeFunctionData("pay", [key, token, intent.recipient, intent.amount, intent.deadline_s]);
    return { contract: "treasury", data, effect, names: ["Paid"], matches: ({ args: [k, asset, to, amount] }) =>
      k === key && same(asset, token) && same(to, intent.recipient) && amount === intent.amount };
  }
  const acceptance = inputs.acceptance && { quoteId: `0x${inputs.acceptance.quote_id}`,
    amount: inputs.acceptance.amount, recipient: inputs.acceptance.recipient };
  const quote = typedQuote(node, inputs.quote);
  checkSigned(node, TYPES, quote, inputs.maker_signature, quote.signer, "quote.maker_signature");
  if (acceptance) {
    const value = { ...acceptance, quoteHash: TypedDataEncoder.hashStruct("Quote", TYPES, quote) };
    checkSigned(node, ACCEPTANCE, value, inputs.taker_signature, quote.taker, "quote.taker_signature");
  }
  if (kind === "buyback") {
    const values = [key, quote, inputs.maker_signature, intent.deadline_s, inputs.min_out, inputs.burn];
    if (!same(quote.taker, node.header.contracts.treasury) || quote.takerAmount !== intent.amount)
      fail("intent.terms", `${at}: its quote is another purchase`);
    return { contract: "treasury", data: ABI.encodeFunctionData("buyback", values), effect, names: ["BoughtBack"],
      matches: ({ args }) => args.key === key && args.quoteId === quote.quoteId && same(args.paidToken, token) &&
        args.paidAmount === intent.amount && args.boughtAmount >= inputs.min_out && args.burnt === inputs.burn };
  }
  const taken = acceptance?.amount ?? intent.taken;
  if (!same(quote.maker, intent.scope) || quote.nonce !== intent.ordinal || inputs.quote.maker_asset !== intent.asset ||
      (quote.makerAmount * taken) / quote.takerAmount !== intent.amount || taken > quote.takerAmount ||
      taken < quote.minFill) fail("intent.terms", `${at}: its quote has other terms`);
  add(effect, `${intent.vault}/${inputs.quote.taker_asset}`, taken);
  const values = [quote, inputs.maker_signature, acceptance, inputs.taker_signature];
  return { contract: "settlement", data: acceptance ? ABI.encodeFunctionData("fill", values) : null, effect,
    names: ["Filled", "StatementSettled"], matches: settles(quote, taken) };
}
/** Return what tells whether an event settles a quote, by the part that was taken. */
const settles = ({ maker, quoteId, nonce }, taken) => ({ name, args }) => same(args.maker, maker) && (name === "Filled"
  ? args.quoteId === quoteId && args.nonce === nonce && args.amount === taken
  : args.words.some(({ word, mask }) => word === nonce >> 8n && (mask >> (nonce & 255n)) & 1n));
async function keyIsUsed(node, intent) {
  if (!["quote", ...CARRIERS].includes(intent.kind)) return node.view("treasury", "settled", `0x${intent.intent_id}`);
  for (const { maker, nonce } of (intent.inputs.trades ?? [intent.inputs]).map((trade) => trade.quote)) {
    const views = ["usedNonces", "cancelledNonces"].map((name) => node.view("settlement", name, maker, nonce >> 8n));
    const [used, cancelled] = await Promise.all(views);
    if (!(((used & ~cancelled) >> (nonce & 255n)) & 1n)) return false;
  }
  return true;
}
/** Return a quote that its taker settled as the intent it would have been. */
const quoteAct = ({ quote: q, ...line }) => ({ ...line, kind: "quote", chain: q.chain, contract: "settlement",
  scope: q.maker, ordinal: q.nonce, amount: (q.maker_amount * line.taken) / q.taker_amount, asset: q.maker_asset,
  inputs: { quote: q, maker_signature: line.maker_signature } });
async function checkPaid(node, act, want) {
  const at = `intent ${act.intent_id}`;
  const { tx_id: id, height } = act.paid;
  const asked = ["ByHash", "Receipt"].map((what) => node.send(`eth_getTransaction${what}`, id));
  const [tx, receipt] = await Promise.all(asked);
  if (NEVER_PAID.includes(act.state)) fail("intent.dead_paid", `${at} is ${act.state} and was paid`);
  if (!tx || !receipt) return fail("tx.missing", `${at}: the chain has no transaction ${id}`);
  if (BigInt(receipt.status) !== 1n) fail("tx.reverted", `${at}: transaction ${id} reverted`);
  if (BigInt(receipt.blockNumber) !== height || height > node.header.height)
    fail("tx.height", `${at}: transaction ${id} is in block ${BigInt(receipt.blockNumber)}, not ${height}`);
  if ((await node.block(BigInt(receipt.blockNumber)))?.hash !== receipt.blockHash)
    fail("tx.block", `${at}: transaction ${id} is in no block of the chain`);
  checkSignature(tx, id, at);
  const attempt = act.attempts?.find((each) => same(each.tx_id, id));
  if (attempt) {
    if (!same(tx.to, node.header.contracts[want.contract]) || (want.data && tx.input !== want.data))
      fail("tx.input", `${at}: transaction ${id} is another call than the intent's`);
    if (!same(tx.from, attempt.signer)) fail("tx.sender", `${at}: sent by ${tx.from}, not by ${attempt.signer}`);
    if (BigInt(tx.nonce) !== attempt.slot) fail("tx.nonce", `${at}: nonce ${BigInt(tx.nonce)}, not ${attempt.slot}`);
  }
  const events = node.parsed(receipt.logs, want.contract, want.names);
  if (!(want.members ?? [want.matches]).every((matches) => events.some(matches)))
    fail("event.missing", `${at}: transaction ${id} holds no event that says so`);
  if (!(await keyIsUsed(node, act))) fail("key.unset", `${at}: its replay key is unset in the contract`);
}
/** Rebuild the transaction from its fields: they must hash to its id, and its sender must have signed it. */
function checkSignature(tx, id, at) {
  const { to, value, chainId, maxFeePerGas, maxPriorityFeePerGas, gasPrice, accessList = [], input: data } = tx;
  const fields = { type: Number(tx.type), to, nonce: Number(tx.nonce), gasLimit: tx.gas, data, value, chainId,
    signature: { r: tx.r, s: tx.s, v: Number(tx.yParity ?? tx.v) } };
  const fee = fields.type === 2 ? { maxFeePerGas, maxPriorityFeePerGas, accessList } : { gasPrice };
  try {
    const rebuilt = Transaction.from({ ...fields, ...fee });
    if (rebuilt.hash === id && same(rebuilt.from, tx.from)) return;
  } catch { /* fields that make no transaction */ }
  fail("tx.signature", `${at}: transaction ${id} is not what its sender signed`);
}
async function checkUnpaid(node, intent, later, want) {
  const at = `intent ${intent.intent_id}`;
  const isUsed = await keyIsUsed(node, intent);
  const isTold = want.members ? isUsed : intent.reversedBy;
  if (intent.state === "FINAL" && !(intent.closed_height > node.header.height) && !isTold)
    fail("intent.unproven", `${at} is FINAL and no transaction paid it`);
  if (want.members) return;
  if (isUsed && !node.parsed(later, want.contract, want.names).some(want.matches))
    fail("intent.hidden", `${at}: its replay key is used, the export says it was not paid`);
  if (!NEVER_PAID.includes(intent.state)) return;
  if (isUsed) fail("intent.dead_paid", `${at} is ${intent.state} and was paid`);
  const block = intent.state === "FAILED" ? await node.block(intent.closed_height) : null;
  if (intent.state === "FAILED" && !(block && BigInt(block.timestamp) > intent.deadline_s))
    fail("intent.death", `${at}: block ${intent.closed_height} does not lie past its deadline`);
}
// -- the whole -----------------------------------------------------------------------------------
/** Sum the ledger anew: every source once, no overdraft, every posting an intent's or a log's. */
function checkLedger(data, acts, logs, node) {
  const [balances, sources, wanted] = [new Map(), new Map(), new Set()];
  for (const p of data.postings) {
    if (sources.has(p.source)) fail("ledger.twice", `source ${p.source} is posted twice`);
    if (p.amount <= 0n) fail("ledger.amount", `source ${p.source} posts ${p.amount}`);
    sources.set(p.source, `${p.vault}/${p.asset} ${p.debit}>${p.credit} ${p.amount}`);
    for (const [kind, sign] of [[p.debit, -1n], [p.credit, 1n]]) {
      const key = `${p.vault}/${p.asset}/${kind}`;
      add(balances, key, sign * p.amount);
      if (balances.get(key) < 0n && !MAY_OVERDRAW.includes(kind)) fail("ledger.overdraft", `${key} after ${p.source}`);
    }
  }
  const want = (source, what) => {
    wanted.add(source);
    if ((sources.get(source) ?? what) !== what) fail("ledger.content", `source ${source} must be "${what}"`);
  };
  for (const { act, effect } of acts.filter((each) => each.effect.size)) {
    const at = `${act.vault}/${act.asset}`;
    const out = -effect.get(at);
    want(`${act.intent_id}:reserve`, `${at} available>pending ${out}`);
    want(`${act.intent_id}:void`, `${at} pending>available ${out}`);
    // What the chain took back below finality is undone by mirrored postings, each naming the order that allows it.
    const undoes = [`:reversed:${act.reversedBy}`, "paid>available", "available>outside"];
    for (const [undone, paid, received] of [["", "pending>paid", "outside>available"], undoes]) {
      want(`${act.intent_id}:paid${undone}`, `${at} ${paid} ${out}`);
      for (const [key, change] of [...effect].filter(([each]) => each !== at))
        want(`${act.intent_id}:received${undone}`, `${key} ${received} ${change}`);
    }
    const [isPaid, isVoid] = [sources.has(`${act.intent_id}:paid`), sources.has(`${act.intent_id}:void`)];
    if (isVoid ? isPaid || act.state !== "FAILED" : isPaid && act.state !== "FINAL" && !act.paid)
      fail("ledger.state", `postings of ${act.intent_id} contradict its state`);
  }
  for (const log of logs.filter((each) => BigInt(each.blockNumber) <= data.header.funding_height)) {
    for (const [key, change] of node.moved(log, new Map())) {
      const source = `${data.header.chain}:${log.transactionHash}:${BigInt(log.logIndex)}:${key.split("/")[0]}`;
      want(source, `${key} ${change > 0n ? `outside>available ${change}` : `available>outside ${-change}`}`);
      if (!sources.has(source)) fail("ledger.funding", `the funding ${source} is not booked`);
    }
  }
  for (const { cause, changes, tx_id: id } of data.findings) {
    const [suffix, kind] = cause === "donation" ? ["", "suspense"] : [`:${cause}`, "available"];
    for (const [vault, asset, change] of changes)
      want(`${data.header.chain}:${id}:${vault}/${asset}${suffix}`, `${vault}/${asset} outside>${kind} ${change}`);
  }
  for (const source of sources.keys()) if (!wanted.has(source)) fail("ledger.source", `nothing explains ${source}`);
  return { balances, sources };
}
async function checkBalances(data, acts, net, later, ledger, node) {
  for (const [address, vault] of node.vaults) {
    for (const [token, asset] of node.tokens) {
      const key = `${vault}/${asset}`;
      const line = data.balances.find((each) => each.vault === vault && each.asset === asset);
      const since = later.reduce((total, log) => node.moved(log, total), new Map()).get(key) ?? 0n;
      const held = (await node.view(token, "balanceOf", address)) - since;
      if (held !== line?.chain_atoms) fail("balance.chain", `${key}: the chain holds ${held}`);
      if (held !== (net.get(key) ?? 0n)) fail("balance.logs", `${key}: its logs sum to ${net.get(key)}, not ${held}`);
      let must = (ledger.balances.get(`${key}/available`) ?? 0n) + (ledger.balances.get(`${key}/pending`) ?? 0n);
      for (const { act, effect } of acts) {
        const booked = ledger.sources.has(`${act.intent_id}:paid`);
        if (act.paid && !booked) must += effect.get(key) ?? 0n;
        if (!act.paid && booked && !act.reversedBy) must -= effect.get(key) ?? 0n;
      }
      const gifts = data.findings.filter((each) => each.cause === "donation").flatMap((each) => each.changes);
      for (const [v, a, change] of gifts) if (`${v}/${a}` === key) must += change;
      if (must !== held || must !== line?.ledger_atoms)
        fail("balance.ledger", `${key}: the ledger says ${must}, the line ${line?.ledger_atoms}, the chain ${held}`);
    }
  }
}
/** Every transaction that moved a vault's tokens after the funding: its net is what its acts say, exactly. */
function checkExplained(data, acts, logs, node) {
  const left = new Map();
  const at = (id) => left.get(id) ?? left.set(id, new Map()).get(id);
  for (const log of logs) if (BigInt(log.blockNumber) > data.header.funding_height) node.moved(log, at(log.transactionHash));
  for (const { act, effect } of acts.filter((each) => each.act.paid))
    for (const [key, change] of effect) add(at(act.paid.tx_id), key, -change);
  for (const { cause, changes, tx_id: id } of data.findings) {
    const taken = node.parsed(logs.filter((log) => log.transactionHash === id), "distributor", ["ClawedBack"]).length;
    const isGift = (cause === "donation" || (cause === "clawback" && taken)) && changes.every((each) => each[2] > 0n);
    if (!isGift) fail("alarm", `${cause} in ${id}`);
    for (const [vault, asset, change] of changes) add(at(id), `${vault}/${asset}`, -change);
  }
  for (const [id, net] of [...left].filter(([, net]) => told(net)))
    fail("transfer.unexplained", `transaction ${id} moved ${told(net)} beyond its acts`);
}
async function verify(path, url, auditor) {
  const data = readExport(path, auditor);
  const { header } = data;
  const node = new Node(url, header);
  try {
    if (BigInt(await node.send("eth_chainId")) !== header.chain_id) throw new Error("the node is on another chain");
    const final = await node.send("eth_getBlockByNumber", "finalized", false);
    if (BigInt(final.number) < header.height) fail("chain.finality", "the export's block is not final here");
    if ((await node.block(header.height))?.hash !== header.block_hash)
      fail("chain.block", `block ${header.height} is another at this node`);
    node.latest = Number(await node.send("eth_blockNumber"));
    const [first, height] = [Number(header.first_height), Number(header.height)];
    const [logs, later] = [await node.logs(first, height), await node.logs(height + 1, node.latest)];
    const acts = [];
    const undone = data.postings.map(({ source }) => /^(\w+):paid:reversed:(\d+)$/.exec(source)).filter(Boolean);
    const reversed = new Map(undone.map(([, id, order]) => [id, order]));
    const orders = undone.length ? await node.view("governor", "sequence") : 0n;
    if (undone.some(([, , order]) => BigInt(order) > orders)) fail("ledger.order", "a reversal names no executed order");
    for (const act of [...data.intents, ...data.quotes.map(quoteAct)]) {
      const at = `intent ${act.intent_id}`;
      if (acts.some((other) => other.act.intent_id === act.intent_id)) fail("intent.twice", `${at} is listed twice`);
      if (intentId(act) !== act.intent_id) fail("intent.id", `${at}: its identity gives another id`);
      if (act.type === "intent" && contentHash(act) !== act.content_hash)
        fail("intent.content", `${at}: its content gives another hash`);
      act.reversedBy = reversed.get(act.intent_id);
      const want = expected(node, act);
      acts.push({ act, effect: want.effect });
      await (act.paid ? checkPaid(node, act, want) : checkUnpaid(node, act, later, want));
    }
    checkExplained(data, acts, logs, node);
    const ledger = checkLedger(data, acts, logs, node);
    const net = logs.reduce((total, log) => node.moved(log, total), new Map());
    await checkBalances(data, acts, net, later, ledger, node);
    return { acts: acts.length, paid: acts.filter(({ act }) => act.paid).length, logs: logs.length, height, net };
  } finally { node.provider.destroy(); }
}
async function main([path, url, auditor = ""]) {
  if (!path || !url || !/^([0-9a-f]{64})?$/.test(auditor))
    return void console.error("usage: node verify.mjs EXPORT RPC_URL [AUDITOR]") ?? 2;
  try {
    const { acts, paid, logs, height, net } = await verify(path, url, auditor);
    for (const { name, text } of faults) console.log(`FAULT ${name}: ${text}`);
    for (const [key, atoms] of net) console.log(`${key.padEnd(16)} ${atoms.toString().padStart(30)}`);
    console.log(`${faults.length ? "NOT PROVEN" : "PROVEN"}: ${paid} of ${acts} intents paid, ` +
      `${logs} logs up to block ${height}, ${faults.length} faults`);
  } catch (error) {
    return void console.error(`verify: ${error.shortMessage ?? error.message}`) ?? 1;
  }
  return faults.length ? 1 : 0;
}
process.exitCode = await main(process.argv.slice(2));

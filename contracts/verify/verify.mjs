// Proves an audit export against the chain it is of, EVM, Solana or TON, sharing no code with the desk that wrote it. See docs/audit.md.
//   node verify.mjs EXPORT NODE [AUDITOR]      exit code 0: all holds; 1: it does not; 2: the call is wrong
// NODE is an RPC URL, on TON a file like global.config.json. AUDITOR is the auditor's ed25519 public key in hex: the export must then be signed by
// it. What is paid is read from the node, what is not must have its replay key unset, every transfer of a vault must be explained, once.
import { createHash, createPublicKey, verify as isSigned } from "node:crypto";
import { readFileSync } from "node:fs";
import * as ethers from "ethers";
import { Ton } from "./ton.mjs";
const [FORMAT, SIGNED, LOG_BLOCKS, PAGE] = ["dmm/audit-export/1", Buffer.from("dmm/audit-export/1\n"), 2000, 1000], NODE_MIN = 22;
const LINE_TYPES = ["header", "intent", "quote", "finding", "posting", "balance", "end"];
const [NEVER_PAID, CARRIERS, MAY_OVERDRAW] = [["FAILED", "CANCELLED"], ["net", "statement"], ["outside", "position", "cash", "fees"]];
const QUOTE_FIELDS = ["chain", "contract", "maker", "signer", "taker", "maker_asset", "taker_asset", "maker_amount", "taker_amount",
  "fee_bps", "fee_recipient", "expiry_s", "settle_by_s", "nonce", "min_fill"];
const faults = [], fail = (name, text) => void faults.push({ name, text });
const checkAll = (text, checks) => Object.keys(checks).filter((name) => !checks[name]).forEach((name) => fail(name, text));
const holds = (check) => { try { return check(); } catch { return false; } }; // what cannot be read proves nothing
const plain = (text) => (/^0x/i.test(text) ? text.toLowerCase() : String(text)); // only hexadecimal has two spellings
const same = (a, b) => plain(a) === plain(b);
/** Parse JSON with every number as a BigInt: amounts are wider than a double. */
const parse = (text) => JSON.parse(text, (_, value, { source }) => (typeof value === "number" ? BigInt(source) : value));
function canonical(value) { // the one byte form of a value: sorted keys, no spaces
  if (typeof value === "bigint") return value.toString();
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  return `{${Object.keys(value).sort().map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join(",")}}`;
}
const bytes = (text) => Buffer.from(text.replace(/^0x/, ""), "hex");
const sha256 = (...parts) => createHash("sha256").update(Buffer.concat(parts.map((each) => Buffer.from(each)))).digest();
/** Hash parts under a tag: each prefixed by the letter of its kind and its length in 8 bytes. */
const contentId = (...parts) => sha256(...parts.flatMap((part) => {
  const [body, kind] = [Buffer.from(Buffer.isBuffer(part) ? part : String(part)), typeof part === "bigint" ? "i" : "s"];
  return [Buffer.isBuffer(part) ? "b" : kind, bytes(body.length.toString(16).padStart(16, "0")), body];
})).toString("hex");
const intentId = (i) => contentId("dmm/intent/v1", i.kind, i.chain, i.contract, i.vault, i.scope, i.epoch, i.ordinal);
const contentHash = (i) => contentId("dmm/content/v1", i.asset, i.recipient, i.amount, i.deadline_s, Buffer.from(canonical(i.inputs)),
  bytes(i.supersedes ?? ""));
const quoteId = (q) => `0x${contentId("dmm/quote/v1", ...QUOTE_FIELDS.filter((name) => name in q).map((name) => q[name]))}`;
/** Tell whether an ed25519 key signed a message; the prefix makes a bare key one that node reads (RFC 8410). */
const isSignedBy = (publicKey, message, signature) => isSigned(null, message, createPublicKey({
  key: Buffer.concat([bytes("302a300506032b6570032100"), publicKey]), format: "der", type: "spki" }), bytes(signature));
function readExport(path, auditor) {
  const raw = readFileSync(path, "utf8").split("\n"), cut = raw.pop(), lines = raw.map(parse);
  const of = (name) => lines.filter(({ type }) => type === name);
  const [header, end, ranks] = [lines[0] ?? {}, lines.at(-1) ?? {}, lines.map(({ type }) => LINE_TYPES.indexOf(type))];
  if (header.format !== FORMAT) throw new Error(`${path} is no ${FORMAT}`);
  checkAll(`${path}: an end cut off, a line not canonical or out of order, a wrong count or digest, or not signed by the auditor`, {
    "file.cut": cut === "", "file.canonical": lines.every((each, index) => canonical(each) === raw[index]),
    "file.order": ranks.every((rank, index) => rank >= 0 && !(rank < ranks[index - 1])),
    "file.count": of("header").length === 1 && of("end").length === 1 && end.lines === BigInt(lines.length - 1),
    "file.digest": end.sha256 === sha256(...raw.slice(0, -1).map((line) => `${line}\n`)).toString("hex"),
    "file.signature": !auditor || holds(() => isSignedBy(bytes(auditor), Buffer.concat([SIGNED, bytes(end.sha256)]), end.signature)),
  });
  return { header, ...Object.fromEntries(LINE_TYPES.slice(1, 6).map((type) => [`${type}s`, of(type)])) };
}
const add = (total, key, change) => total.set(key, (total.get(key) ?? 0n) + change);
const told = (net) => [...net].filter(([, change]) => change).map((pair) => pair.join(" ")).sort().join(", ");
/** A chain through one node. Its transactions are those with events of our contracts, or that move a vault's tokens, by "vault/asset". */
class Node {
  constructor(url, header) {
    this.header = header;
    this.provider = new ethers.JsonRpcProvider(url, 1, { staticNetwork: true, batchMaxCount: 1, cacheTimeout: -1 });
    [this.tokens, this.vaults, this.contracts] = [header.tokens, header.vaults, header.contracts].map((names) =>
      new Map(Object.entries(names).map(([name, at]) => [plain(at), name])));
  }
  send(method, ...params) { return this.provider.send(method, params); }
  hasSigned(q, who, by, ...a) { return same(q.contract, this.header.contracts.settlement) && this.isSigned(this.digest(q, ...a), by, q[who]); }
  move(net, owner, token, change) {
    const [vault, asset] = [this.vaults.get(plain(owner)), this.tokens.get(plain(token))];
    if (vault !== undefined && asset !== undefined) add(net, `${vault}/${asset}`, change);
  }
}
// -- EVM --------------------------------------------------------------------------------------------------------------------------
const QUOTE = "address maker,address signer,address taker,address makerToken,address takerToken,uint256 makerAmount,uint256 takerAmount," +
  "uint256 minFill,uint16 feeBps,address feeRecipient,uint64 expiry,uint64 settleBy,uint256 nonce,bytes32 quoteId";
const members = (text) => text.split(",").map((each) => each.split(" ")).map(([type, name]) => ({ type, name }));
const [TYPES, TAKEN] = [{ Quote: members(QUOTE) }, { Acceptance: members("bytes32 quoteId,bytes32 quoteHash,uint256 amount,address recipient") }];
const ABI = new ethers.Interface([
  "function pay(bytes32 key, address token, address to, uint256 amount, uint256 deadline)",
  `function buyback(bytes32 key, (${QUOTE}) quote, bytes makerSig, uint256 deadline, uint256 minOutput, bool burn)`,
  `function fill((${QUOTE}) quote, bytes, (bytes32 quoteId, uint256 amount, address recipient), bytes)`,
  ...["usedNonces(address,uint256)", "cancelledNonces(address,uint256)", "sequence()", "balanceOf(address)", "settled(bytes32)"]
    .map((view) => `function ${view} view returns (uint256)`),
  ...["Paid(bytes32 indexed key, address indexed token, address indexed to, uint256 amount)", "ClawedBack(address indexed to, uint256 amount)",
    "BoughtBack(bytes32 indexed key, bytes32 indexed quoteId, address paidToken, uint256 paidAmount, address, uint256 boughtAmount, bool burnt)",
    "Filled(bytes32 indexed quoteId, address indexed maker, uint256 nonce, uint256 amount)",
    "StatementSettled(bytes32 indexed, address indexed maker, address indexed, uint256, (uint256 word, uint256 mask)[] words)",
    "Transfer(address indexed from, address indexed to, uint256 amount)"].map((event) => `event ${event}`)]);
class Evm extends Node {
  async open() {
    this.latest = BigInt(await this.send("eth_blockNumber"));
    return { chainId: BigInt(await this.send("eth_chainId")), final: (await this.provider.getBlock("finalized")).number };
  }
  block(height) { return this.provider.getBlock(Number(height)); }
  view(at, name, ...of) { return new ethers.Contract(this.header.contracts[at] ?? at, ABI, this.provider)[name](...of, { blockTag: this.latest }); }
  sequence() { return this.view("governor", "sequence"); }
  async keyIsUsed(id) { return Boolean(await this.view("treasury", "settled", `0x${id}`)); }
  async used(maker, nonce) {
    const [used, cancelled] = ["usedNonces", "cancelledNonces"].map((name) => this.view("settlement", name, maker, nonce >> 8n));
    return (await used) & ~(await cancelled);
  }
  async held(owner, token) { return { atoms: await this.view(token, "balanceOf", owner), height: this.latest }; }
  async txs(first, last = this.latest) {
    const ours = [...this.vaults.keys()].map((each) => ethers.zeroPadValue(each, 32));
    const [transfer, address, txs] = [ABI.getEvent("Transfer").topicHash, [...this.tokens.keys()], new Map()];
    for (let fromBlock = Number(first); fromBlock <= last; fromBlock += LOG_BLOCKS) {
      const span = { fromBlock, toBlock: Math.min(fromBlock + LOG_BLOCKS - 1, Number(last)) };
      const answers = [{ address: [...this.contracts.keys()] }, { address, topics: [transfer, ours] }, { address, topics: [transfer, null, ours] }]
        .map((query) => this.provider.getLogs({ ...query, ...span }));
      for (const log of (await Promise.all(answers)).flat())
        txs.set(log.transactionHash, (txs.get(log.transactionHash) ?? new Map()).set(log.index, log));
    }
    return [...txs].map(([id, logs]) => ({ id, height: BigInt(logs.values().next().value.blockNumber), ...this.read([...logs.values()]) }));
  }
  read(logs) {
    const events = logs.map((log) => ({ log, contract: this.contracts.get(plain(log.address)), ...ABI.parseLog(log) }));
    const [moves, transfers] = [new Map(), events.filter(({ name }) => name === "Transfer")];
    for (const { log, args: { from, to, amount } } of transfers) for (const [owner, change] of [[from, -amount], [to, amount]])
      this.move(moves, owner, log.address, change);
    return { events, moves };
  }
  async tx(id) {
    const [tx, receipt] = await Promise.all([this.provider.getTransaction(id), this.provider.getTransactionReceipt(id)]);
    // Rebuilt from its fields it must hash to its id, and its sender must have signed it.
    const isSigned = holds(() => ethers.Transaction.from(tx).hash === id && same(ethers.Transaction.from(tx).from, tx.from));
    return tx && receipt && { ...this.read(receipt.logs), height: BigInt(receipt.blockNumber), hasSucceeded: receipt.status === 1, isSigned,
      isInBlock: async () => (await this.block(receipt.blockNumber))?.hash === receipt.blockHash,
      call: plain(`${tx.to} ${tx.data}`), sender: tx.from, nonce: BigInt(tx.nonce) };
  }
  quote(q) {
    return { ...q, makerToken: this.header.tokens[q.maker_asset], takerToken: this.header.tokens[q.taker_asset], makerAmount: q.maker_amount,
      takerAmount: q.taker_amount, minFill: q.min_fill ?? q.taker_amount, feeBps: q.fee_bps, expiry: q.expiry_s, settleBy: q.settle_by_s,
      feeRecipient: q.fee_bps ? q.fee_recipient : ethers.ZeroAddress, quoteId: quoteId(q) };
  }
  /** Return what a quote's signer signs, or with an acceptance what its taker does. */
  digest(q, a) {
    const { chain_id: chainId, contracts: { settlement: verifyingContract } } = this.header;
    const quoteHash = ethers.TypedDataEncoder.hashStruct("Quote", TYPES, this.quote(q));
    const signed = a ? [TAKEN, { ...a, quoteId: `0x${a.quote_id}`, quoteHash }] : [TYPES, this.quote(q)];
    return ethers.TypedDataEncoder.hash({ name: "DMM Settlement", version: "1", chainId, verifyingContract }, ...signed);
  }
  isSigned(digest, signature, who) { return same(ethers.recoverAddress(digest, signature), who); }
  call({ kind, intent_id: id, inputs, ...i }) {
    const { quote, acceptance: a, maker_signature: signed } = inputs;
    const [contract, name, ...values] = kind === "reward"
      ? ["treasury", "pay", `0x${id}`, this.header.tokens[i.asset], i.recipient, i.amount, i.deadline_s]
      : kind === "buyback" ? ["treasury", "buyback", `0x${id}`, this.quote(quote), signed, i.deadline_s, inputs.min_out, inputs.burn]
        : ["settlement", "fill", this.quote(quote), signed, [`0x${a.quote_id}`, a.amount, a.recipient], inputs.taker_signature];
    return plain(`${this.header.contracts[contract]} ${ABI.encodeFunctionData(name, values)}`);
  }
}
// -- Solana -----------------------------------------------------------------------------------------------------------------------
const [TOKEN, ATA] = ["TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA", "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL"];
const FINAL = { commitment: "finalized", encoding: "base64", maxSupportedTransactionVersion: 0 };
const [P, D] = [2n ** 255n - 19n, 37095705934669439343138083508754565189542113879843219016388785533085940283555n];
const from58 = (text, digits = text.replace(/^1*/, "") && ethers.decodeBase58(text).toString(16)) => Buffer.concat([
  Buffer.alloc(/^1*/.exec(text)[0].length), bytes(digits.length % 2 ? `0${digits}` : digits)]);
const little = (number, size = 8) => bytes(number.toString(16).padStart(2 * size, "0")).reverse();
const number = (raw, at, size = 8) => BigInt(`0x${Buffer.from(raw.subarray(at, at + size)).reverse().toString("hex")}`);
const hash = (raw, at) => `0x${raw.toString("hex", at, at + 32)}`;
const named = (kind, name) => sha256(`${kind}:${name}`).toString("hex", 0, 8);
/** Return the address a program derives from seeds: the first that is no curve point, by Euler's criterion for x² = (y² - 1) / (d y² + 1). */
function derived(program, ...seeds) {
  for (let bump = 255, digest; ; bump -= 1) {
    const y = number((digest = sha256(...seeds, [bump], from58(program), "ProgramDerivedAddress")), 0, 32) & (2n ** 255n - 1n);
    let [found, base] = [1n, ((y * y - 1n) * (D * y * y + 1n)) % P];
    for (let exponent = (P - 1n) / 2n; exponent; exponent >>= 1n, base = (base * base) % P) if (exponent & 1n) found = (found * base) % P;
    if (found > 1n) return ethers.encodeBase58(digest);
  }
}
/** Calls of ours by their first bytes: contract and event they stand for, the place of whose account it is, the event's arguments. */
const filled = (d) => ({ quoteId: hash(d, 58), nonce: number(d, 50), amount: number(d, 90) });
const received = (gross, bps) => gross - (gross * bps + 9999n) / 10000n;
const CALLS = new Map(Object.entries({
  pay: ["treasury", "Paid", 1, (d, at) => ({ key: hash(d, 8), token: at[7], to: at[5], amount: number(d, 40), deadline: number(d, 48) })],
  buyback: ["treasury", "BoughtBack", 1, (d, at) => ({ key: hash(d, 8), quoteId: hash(d, 90), paidToken: at[12], paidAmount: number(d, 48),
    boughtAmount: received(number(d, 40), number(d, 64, 2)), deadline: number(d, 122), least: number(d, 130), burnt: d[138] === 1 })],
  clawback: ["distributor", "ClawedBack", 1, () => ({})], settle_quote: ["settlement", "Filled", 1, filled],
  settle_accepted: ["settlement", "Filled", 2, filled] }).map(([name, call]) => [named("global", name), call]));
class Solana extends Node {
  accounts = [this.header.contracts.settlement];
  async open() { return { chainId: BigInt(hash(from58(await this.send("getGenesisHash")), 0)), final: await this.send("getSlot", FINAL) }; }
  /** Return a slot's block; for a slot without one the block before it, under its hash and the slots in between. */
  async block(height, transactionDetails = "none") {
    const slots = await this.send("getBlocks", Math.max(0, Number(height) - PAGE), Number(height), FINAL);
    const found = slots.length && await this.send("getBlock", slots.at(-1), { ...FINAL, transactionDetails, rewards: false });
    const gap = Number(height) - slots.at(-1);
    return found && { hash: found.blockhash + (gap ? `+${gap}` : ""), timestamp: found.blockTime, signatures: found.signatures };
  }
  /** Return the content of our program's account of a kind at a place, zeros when there is none. */
  async state(kind, place) {
    const { value } = await this.send("getAccountInfo", place, FINAL);
    const data = Buffer.from(value?.data[0] ?? "", "base64");
    return value?.owner === this.accounts[0] && data.toString("hex", 0, 8) === named("account", kind) ? data : Buffer.alloc(128);
  }
  own(...seeds) { return derived(this.accounts[0], ...seeds); }
  async sequence() { return number(await this.state("Governor", this.header.contracts.governor), 72); }
  async keyIsUsed(id) {
    return hash(await this.state("UsedKey", this.own("key", from58(this.header.contracts.treasury), bytes(id))), 40) === `0x${id}`;
  }
  async used(maker, nonce) {
    const page = await this.state("NoncePage", this.own("page", from58(maker), little(nonce >> 8n)));
    return number(page, 48, 32) & ~number(page, 80, 32);
  }
  /** Sum what an owner has of a token in all its accounts, and keep these accounts. */
  async held(owner, mint) {
    const { context, value } = await this.send("getTokenAccountsByOwner", owner, { mint }, FINAL);
    this.accounts.push(...value.map(({ pubkey }) => pubkey));
    return { atoms: value.reduce((sum, { account }) => sum + number(Buffer.from(account.data[0], "base64"), 64), 0n), height: context.slot };
  }
  async txs(first, last = Infinity) {
    const [ids, txs] = [new Set(), []];
    for (const address of this.accounts) for (let page, before; !page || page.length === PAGE; before = page.at(-1)?.signature) {
      page = await this.send("getSignaturesForAddress", address, { ...FINAL, limit: PAGE, before });
      for (const { slot, err, signature } of page) if (err === null && slot >= first && slot <= last) ids.add(signature);
    }
    for (const id of ids) txs.push((await this.tx(id)) ?? fail("tx.missing", `the node lists transaction ${id} and does not have it`));
    return txs.filter(Boolean);
  }
  async tx(id) {
    const { slot, meta, transaction: { message } = {} } = (await this.send("getTransaction", id, { ...FINAL, encoding: "json" })) ?? {};
    if (!meta) return null;
    const keys = [...message.accountKeys, ...(meta.loadedAddresses?.writable ?? []), ...(meta.loadedAddresses?.readonly ?? [])];
    const events = [], moves = new Map(), calls = [...message.instructions, ...(meta.innerInstructions ?? []).flatMap((one) => one.instructions)];
    for (const call of calls.filter(({ programIdIndex }) => keys[programIdIndex] === this.accounts[0])) {
      const [data, at] = [from58(call.data), call.accounts.map((index) => keys[index])];
      const [contract, name, place, read] = CALLS.get(data.toString("hex", 0, 8)) ?? [];
      if (name === "Filled" || (name && at[place] === this.header.contracts[contract]))
        events.push({ contract, name, args: { maker: at[place], ...read(data, at) } });
    }
    for (const [rows, sign] of [[meta.preTokenBalances, -1n], [meta.postTokenBalances, 1n]])
      for (const { owner, mint, uiTokenAmount } of rows) this.move(moves, owner, mint, sign * BigInt(uiTokenAmount.amount));
    return { id, events, moves, height: BigInt(slot), hasSucceeded: meta.err === null, isSigned: true, sender: keys[0],
      isInBlock: async () => (await this.block(slot, "signatures"))?.signatures.includes(id) };
  }
  account(owner, asset) { return from58(derived(ATA, from58(owner), from58(TOKEN), from58(this.header.tokens[asset]))); }
  digest(q, a) {
    const keys = [q.contract, q.maker, q.signer, q.taker, this.header.tokens[q.maker_asset], this.header.tokens[q.taker_asset]];
    const words = (...numbers) => Buffer.concat(numbers.map((each) => little(each)));
    const digest = sha256("dmm/quote/v1", little(this.header.chain_id, 32).reverse(), ...keys.map((each) => from58(each)),
      words(q.maker_amount, q.taker_amount, q.min_fill ?? q.taker_amount), little(q.fee_bps, 2), this.account(q.fee_recipient, q.maker_asset),
      words(q.expiry_s, q.settle_by_s, q.nonce), bytes(quoteId(q)));
    return a ? sha256("dmm/acceptance/v1", bytes(a.quote_id), digest, little(a.amount), this.account(a.recipient, q.maker_asset)) : digest;
  }
  isSigned(digest, signature, who) { return isSignedBy(from58(who), digest, signature); }
}
/** Return what tells whether an event settles a quote, by the part that was taken and, where the event tells it, to whom it went. */
const settles = (q, taken, to) => ({ contract, name, args }) => contract === "settlement" && same(args.maker, q.maker) && (name === "Filled"
  ? args.quoteId === quoteId(q) && args.nonce === q.nonce && args.amount === taken && same(args.recipient ?? to, to ?? args.recipient)
  : name === "StatementSettled" && args.words.some(({ word, mask }) => word === q.nonce >> 8n && (mask >> (q.nonce & 255n)) & 1n));
/** Return what an intent moves, and how its events must read. A carrier moves nothing itself: its members are intents of their own. */
function expected(node, { kind, inputs, vault, asset, amount, deadline_s, recipient, intent_id: id, ...intent }) {
  const [effect, token] = [new Map([[`${vault}/${asset}`, -amount]]), node.header.tokens[asset]];
  const { quote: q, acceptance: a, maker_signature: byMaker, taker_signature: byTaker, min_out: least, burn } = inputs;
  const isOf = ({ contract, name, args }, wanted) => contract === "treasury" && name === wanted && args.key === `0x${id}` &&
    (args.deadline ?? deadline_s) === deadline_s && (args.least ?? least) === least;
  if (CARRIERS.includes(kind))
    return { effect: new Map(), isCarrier: true, matches: inputs.trades.map((each) => settles(each.quote, each.acceptance.amount)) };
  if (kind === "reward") return { effect, matches: [(event) => isOf(event, "Paid") && same(event.args.token, token) &&
    same(event.args.to, recipient) && event.args.amount === amount] };
  for (const [who, signature, ...accepted] of [["signer", byMaker], ...(a ? [["taker", byTaker, a]] : [])])
    if (!holds(() => node.hasSigned(q, who, signature, ...accepted)))
      fail(`quote.${who === "taker" ? who : "maker"}_signature`, `intent ${id}: its quote is not signed by ${q[who]}`);
  const [isPurchase, taken] = [kind === "buyback", a?.amount ?? intent.taken];
  const isSame = isPurchase ? same(q.taker, node.header.contracts.treasury) && q.taker_amount === amount && q.taker_asset === asset
    : same(q.maker, intent.scope) && q.nonce === intent.ordinal && q.maker_asset === asset && taken <= q.taker_amount &&
      (!a || same(recipient, a.recipient)) && taken >= (q.min_fill ?? q.taker_amount) && (q.maker_amount * taken) / q.taker_amount === amount;
  if (!isSame) fail("intent.terms", `intent ${id}: its quote has other terms`);
  return isPurchase ? { effect, matches: [(event) => isOf(event, "BoughtBack") && event.args.quoteId === quoteId(q) && event.args.burnt === burn &&
    same(event.args.paidToken, token) && event.args.paidAmount === amount && event.args.boughtAmount >= least] }
    : { effect: add(effect, `${vault}/${q.taker_asset}`, taken), matches: [settles(q, taken, a?.recipient)] };
}
async function keyIsUsed(node, { kind, intent_id, inputs }) {
  if (!["quote", ...CARRIERS].includes(kind)) return node.keyIsUsed(intent_id);
  const isUsed = async ({ quote: { maker, nonce } }) => ((await node.used(maker, nonce)) >> (nonce & 255n)) & 1n;
  return (await Promise.all((inputs.trades ?? [inputs]).map(isUsed))).every(Boolean);
}
/** Return a quote that its taker settled as the intent it would have been. */
const quoteAct = ({ quote: q, maker_signature, ...line }) => ({ ...line, kind: "quote", chain: q.chain, contract: "settlement", scope: q.maker,
  ordinal: q.nonce, amount: (q.maker_amount * line.taken) / q.taker_amount, asset: q.maker_asset, inputs: { quote: q, maker_signature } });
async function checkPaid(node, act, want) {
  const { tx_id: id, height } = act.paid, tx = await node.tx(id, act.paid), attempts = act.attempts ?? [];
  if (!tx) return fail("tx.missing", `intent ${act.intent_id}: the chain has no transaction ${id}`);
  const [by, isOthers] = [tx.operator, { signer: tx.sender, isOthers: true }]; // where contracts pay in messages of their own, by whose order
  const attempt = (by ? attempts.find(({ signer }) => same(signer, by)) ?? attempts[0] : attempts.find((each) => same(each.tx_id, id))) ?? isOthers;
  checkAll(`intent ${act.intent_id}, ${act.state}: transaction ${id} by ${tx.sender} in block ${tx.height} does not prove it`, {
    "tx.reverted": tx.hasSucceeded, "tx.height": tx.height === height && height <= node.header.height, "tx.block": await tx.isInBlock(),
    "tx.signature": tx.isSigned, "tx.sender": same(tx.sender, attempt.signer), "tx.nonce": (tx.nonce ?? attempt.slot) === (attempt.slot ?? tx.nonce),
    "intent.dead_paid": !NEVER_PAID.includes(act.state), "tx.input": attempt.isOthers || want.isCarrier || !tx.call || tx.call === node.call(act),
    "event.missing": want.matches.every((matches) => tx.events.some(matches)), "key.unset": await keyIsUsed(node, act),
  });
}
async function checkUnpaid(node, { intent_id: id, state, ...intent }, later, want) {
  const isUsed = await keyIsUsed(node, { intent_id: id, ...intent });
  const [isTold, isLate] = [want.isCarrier ? isUsed : intent.reversedBy, want.isCarrier || later.some(({ events }) => events.some(want.matches[0]))];
  const block = state === "FAILED" && !want.isCarrier && (await node.block(intent.closed_height));
  checkAll(`intent ${id} is ${state} without a payment, its replay key ${isUsed ? "used" : "unset"}`, {
    "intent.unproven": state !== "FINAL" || intent.closed_height > node.header.height || isTold, "intent.hidden": !isUsed || isLate,
    "intent.dead_paid": !isUsed || want.isCarrier || !NEVER_PAID.includes(state),
    "intent.death": block === false || (node.ended?.({ intent_id: id, ...intent }) ?? block?.timestamp > intent.deadline_s),
  });
}
// -- the whole --------------------------------------------------------------------------------------------------------------------
/** Sum the ledger anew: every source once, no overdraft, every posting an intent's, a funding's or a finding's. */
function checkLedger({ header: { chain, funding_height }, postings, findings }, acts, txs) {
  const [balances, sources, wanted, unfunded] = [new Map(), new Map(), new Set(), new Map()];
  for (const { id, moves, height } of txs) if (height <= funding_height) for (const [key, change] of moves) add(unfunded, `${id}:${key}`, change);
  for (const { source, vault, asset, debit, credit, amount } of postings) {
    checkAll(`source ${source} posts ${amount}`, { "ledger.twice": !sources.has(source), "ledger.amount": amount > 0n });
    sources.set(source, `${vault}/${asset} ${debit}>${credit} ${amount}`);
    for (const [kind, change] of [[debit, -amount], [credit, amount]]) {
      const has = add(balances, `${vault}/${asset}/${kind}`, change).get(`${vault}/${asset}/${kind}`);
      if (has < 0n && !MAY_OVERDRAW.includes(kind)) fail("ledger.overdraft", `${vault}/${asset}/${kind} after ${source}`);
    }
    const [on, id, index, owner] = source.split(":"), key = `${vault}/${asset}`;
    const change = { "outside>available": amount, "available>outside": -amount }[`${debit}>${credit}`];
    if (on === chain && /^\d+$/.test(index) && owner === vault && change && unfunded.has(`${id}:${key}`))
      add(unfunded, `${wanted.add(source) && id}:${key}`, -change);
  }
  if (told(unfunded)) fail("ledger.funding", `the funding and its postings differ by ${told(unfunded)}`);
  const want = (source, what) => checkAll(`source ${source} must be "${what}"`,
    { "ledger.content": ((wanted.add(source) && sources.get(source)) ?? what) === what });
  for (const { act: { intent_id: id, ...act }, effect } of acts.filter((each) => each.effect.size)) {
    const at = `${act.vault}/${act.asset}`, reserved = [["reserve", "available>pending"], ["void", "pending>available"]];
    for (const [event, way] of reserved) want(`${id}:${event}`, `${at} ${way} ${-effect.get(at)}`);
    // What the chain took back below finality is undone by mirrored postings, each naming the order that allows it.
    const undoes = [`:reversed:${act.reversedBy}`, "paid>available", "available>outside"];
    for (const [undone, paid, received] of [["", "pending>paid", "outside>available"], undoes]) for (const [key, change] of effect)
      want(`${id}:${key === at ? "paid" : "received"}${undone}`, `${key} ${key === at ? `${paid} ${-change}` : `${received} ${change}`}`);
    const [isPaid, isVoid] = [sources.has(`${id}:paid`), sources.has(`${id}:void`)];
    const isLike = isVoid ? !isPaid && act.state === "FAILED" : !isPaid || act.state === "FINAL" || act.paid;
    if (!isLike) fail("ledger.state", `postings of ${id} contradict its state`);
  }
  for (const { cause, changes, tx_id: id } of findings) for (const [vault, asset, change] of changes) {
    const [suffix, kind] = cause === "donation" ? ["", "suspense"] : [`:${cause}`, "available"];
    want(`${chain}:${id}:${vault}/${asset}${suffix}`, `${vault}/${asset} outside>${kind} ${change}`);
  }
  for (const source of sources.keys()) if (!wanted.has(source)) fail("ledger.source", `nothing explains ${source}`);
  return { balances, sources };
}
function checkBalance(data, acts, key, { atoms, height }, net, later, { balances, sources }) {
  const line = data.balances.find(({ vault, asset }) => `${vault}/${asset}` === key);
  const has = later.reduce((sum, tx) => sum - (tx.height <= height ? tx.moves.get(key) ?? 0n : 0n), atoms);
  let must = (balances.get(`${key}/available`) ?? 0n) + (balances.get(`${key}/pending`) ?? 0n);
  for (const { act: { intent_id: id, paid, reversedBy }, effect } of acts) if (Boolean(paid) !== sources.has(`${id}:paid`))
    must += (paid ? 1n : reversedBy ? 0n : -1n) * (effect.get(key) ?? 0n);
  for (const { cause, changes } of data.findings) if (cause === "donation") for (const [v, a, more] of changes) if (`${v}/${a}` === key) must += more;
  checkAll(`${key}: the chain holds ${has}, its transfers sum to ${net.get(key)}, the ledger says ${must}`, {
    "balance.chain": has === line?.chain_atoms, "balance.logs": has === (net.get(key) ?? 0n),
    "balance.ledger": must === has && must === line?.ledger_atoms });
}
/** Every transaction that moved a vault's tokens after the funding: its net is what its acts say, exactly. */
function checkExplained(data, acts, txs) {
  const left = new Map(txs.filter(({ height }) => height > data.header.funding_height).map(({ id, moves }) => [id, new Map(moves)]));
  const at = (id) => left.get(id) ?? left.set(id, new Map()).get(id);
  for (const { act, effect } of acts) if (act.paid) for (const [key, change] of effect) add(at(act.paid.tx_id), key, -change);
  for (const { cause, changes, tx_id } of data.findings) {
    const isBack = txs.some(({ id, events }) => id === tx_id && events.some((e) => `${e.contract} ${e.name}` === "distributor ClawedBack"));
    const isGift = (cause === "donation" || (cause === "clawback" && isBack)) && changes.every((each) => each[2] > 0n);
    if (!isGift) fail("alarm", `${cause} in ${tx_id}`);
    for (const [vault, asset, change] of changes) add(at(tx_id), `${vault}/${asset}`, -change);
  }
  for (const [id, net] of left) if (told(net)) fail("transfer.unexplained", `transaction ${id} moved ${told(net)} beyond its acts`);
}
async function verify(path, url, auditor) {
  const data = readExport(path, auditor), { header, postings } = data;
  const all = [...data.intents, ...data.quotes.map(quoteAct)], acts = [], held = [], ids = new Set(), net = new Map();
  for (const act of all)
    checkAll(`intent ${act.intent_id} is listed twice, or its identity or content gives another hash`, { "intent.id": intentId(act) === act.intent_id,
      "intent.twice": ids.size < ids.add(act.intent_id).size, "intent.content": act.type === "quote" || contentHash(act) === act.content_hash });
  const Chain = { evm: Evm, solana: Solana, ton: Ton }[header.chain], node = Chain && new Chain(url, header, { fail, quoteId });
  if (!node) throw new Error(`${header.chain} is no chain that is read here`);
  try {
    const { chainId, final } = await node.open(all);
    if (chainId !== header.chain_id) throw new Error("the node is on another chain");
    const isSame = (await node.block(header.height))?.hash === header.block_hash;
    checkAll(`block ${header.height} is not final or another at this node`, { "chain.finality": final >= header.height, "chain.block": isSame });
    for (const [at, vault] of node.vaults) for (const [token, asset] of node.tokens) held.push([`${vault}/${asset}`, await node.held(at, token)]);
    const [txs, later] = [await node.txs(header.first_height, header.height), await node.txs(header.height + 1n)];
    const reversed = new Map(postings.map(({ source }) => /^(\w+):paid:reversed:(\d+)$/.exec(source)?.slice(1)).filter(Boolean));
    if (reversed.size && Math.max(...reversed.values()) > (await node.sequence())) fail("ledger.order", "a reversal names no executed order");
    for (const act of all) {
      act.reversedBy = reversed.get(act.intent_id);
      const want = expected(node, act);
      acts.push({ act, effect: want.effect });
      await (act.paid ? checkPaid(node, act, want) : checkUnpaid(node, act, later, want));
    }
    checkExplained(data, acts, txs);
    for (const { moves } of txs) for (const [key, change] of moves) add(net, key, change);
    const ledger = checkLedger(data, acts, txs);
    for (const [key, found] of held) checkBalance(data, acts, key, found, net, later, ledger);
    return `${all.filter((act) => act.paid).length} of ${all.length} intents paid, ${txs.length} transactions up to block ${header.height}`;
  } finally { node.provider.destroy(); }
}
const [path, url, auditor = ""] = process.argv.slice(2), version = process.versions.node, stop = (text) => process.exit(console.error(text) ?? 2);
if (parseInt(version, 10) < NODE_MIN) stop(`this is Node ${version}, which would round amounts: the verifier needs Node ${NODE_MIN} or newer`);
if (!path || !url || !/^([0-9a-f]{64})?$/.test(auditor)) stop("usage: node verify.mjs EXPORT NODE [AUDITOR]");
const found = (await verify(path, url, auditor).catch((error) => fail(error.fault ?? "verify", error.shortMessage ?? error.message))) ?? "nothing";
for (const { name, text } of faults) console.log(`FAULT ${name}: ${text}`);
console.log(`${faults.length ? "NOT PROVEN" : "PROVEN"}: ${found}, ${faults.length} faults`);
process.exitCode = Number(faults.length > 0);

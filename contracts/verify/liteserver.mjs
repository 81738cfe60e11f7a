// Reads TON through one liteserver, for ton.mjs: ADNL over TCP, bags of cells with their hashes and proofs, blocks, accounts, transactions.
// What a cell says counts when its hash follows from one that is known: a block's, or the one that the account's next transaction names.
// Node's own modules only. Formats: TON whitepapers, TL-B block.tlb, TL lite_api.tl. What stays the server's word: docs/audit.md.
import * as crypto from "node:crypto";
import { connect } from "node:net";
const [ANSWER_MS, PACKET_BYTES_MAX, PAGE, TXS_MAX] = [15_000, 1 << 24, 16, 100_000];
/** Refuse what a server says; the verdict tells of it under the name of the fault. */
export const refuse = (fault, text) => { throw Object.assign(new Error(text), { fault }); };
export const bytes = (text) => Buffer.from(text.replace(/^0x/, ""), "hex");
const word = (number) => bytes(number.toString(16).padStart(64, "0"));
export const big = (content) => BigInt(`0x${content.toString("hex")}`);
const hashed = (name, ...parts) => crypto.createHash(name).update(Buffer.concat(parts)).digest();
const sha256 = (...parts) => hashed("sha256", ...parts);
export const raw = (number) => `0:${number.toString(16).padStart(64, "0")}`;
export const account = (text) => (/^0:[0-9a-f]{64}$/.test(text) ? BigInt(`0x${text.slice(2)}`) : refuse("verify", `${text} is no raw address`));
export const publicKey = (kind, content) =>
  crypto.createPublicKey({ key: Buffer.concat([bytes(`302a300506032b65${kind}032100`), content]), format: "der", type: "spki" });
// -- cells ------------------------------------------------------------------------------------------------------------------------
const [PRUNED, LIBRARY, PROOF] = [1, 2, 3]; // kinds of exotic cells; past PROOF comes the update of a state
const ones = (number) => number.toString(2).replaceAll("0", "").length;
/** A cell: where its bits are no whole bytes, `data` ends in a one and zeros. TVM whitepaper 3.1, with levels for what is pruned. */
class Cell {
  constructor(data, bits, refs = [], kind = 0) {
    const below = refs.reduce((all, { mask }) => all | mask, 0);
    const mask = kind === PRUNED ? data[1] : kind === LIBRARY ? 0 : below >> Number(kind > 0);
    Object.assign(this, { data, bits, refs, kind, mask, known: new Map() });
  }
  /** Return hash and depth as seen at a level: at 0 what was pruned counts as if it were there. */
  at(level = 0) {
    const mask = this.mask & ((1 << level) - 1), top = 31 - Math.clz32(mask), [index, count] = [ones(mask), ones(this.mask)];
    if (this.kind === PRUNED && mask !== this.mask)
      return [this.data.subarray(2 + 32 * index, 34 + 32 * index), this.data.readUInt16BE(2 + 32 * count + 2 * index)];
    if (!this.known.has(mask)) {
      const isHigher = mask && this.kind !== PRUNED, below = this.refs.map((ref) => ref.at(top + 1 + Number(this.kind >= PROOF)));
      const size = isHigher ? 64 : Math.floor(this.bits / 8) + Math.ceil(this.bits / 8);
      const head = Buffer.from([this.refs.length + 8 * Number(this.kind > 0) + 32 * mask, size]), content = isHigher ? this.at(top)[0] : this.data;
      const [hashes, depths] = [below.map(([hash]) => hash), below.map(([, depth]) => Buffer.from([depth >> 8, depth & 255]))];
      const digest = sha256(head, content, ...depths, ...hashes);
      this.known.set(mask, [digest, below.reduce((most, [, depth]) => Math.max(most, depth + 1), 0)]);
    }
    return this.known.get(mask);
  }
  get hash() { return this.at()[0]; }
}
/** Read a bag of cells into its roots. */
function rootsOf(bag) {
  if (bag.length < 6 || bag.readUInt32BE(0) !== 0xb5ee9c72) refuse("chain.cell", "the liteserver gave bytes that are no bag of cells");
  let at = 6;
  const size = bag[4] & 7, take = (count) => bag.readUIntBE((at += count) - count, count);
  const [count, rootCount, , all] = [take(size), take(size), take(size), take(bag[5])];
  if (all > bag.length || count > bag.length || rootCount > count) refuse("chain.cell", "the liteserver gave a bag of cells that is cut off");
  const roots = Array.from({ length: rootCount }, () => take(size));
  if (bag[4] & 128) at += count * bag[5];
  const drafts = Array.from({ length: count }, () => {
    const [first, second] = [take(1), take(1)], start = first & 16 ? at + 34 * (ones(first >> 5) + 1) : at, length = (second + 1) >> 1;
    const data = bag.subarray(start, (at = start + length)), spare = second & 1 ? 1 + Math.log2(data[length - 1] & -data[length - 1]) : 0;
    if (!(spare >= 0)) refuse("chain.cell", "a cell of the liteserver has no end");
    return [data, 8 * length - spare, Array.from({ length: first & 7 }, () => take(size)), first & 8 ? data[0] : 0];
  });
  const cells = [];
  for (let place = count - 1; place >= 0; place -= 1) {
    const [data, bits, refs, kind] = drafts[place];
    const below = refs.map((ref) => (ref > place && cells[ref]) || refuse("chain.cell", "a bag of cells refers backwards"));
    cells[place] = new Cell(data, bits, below, kind);
  }
  return roots.map((root) => cells[root]);
}
/** Return what is read from a server's bytes; in whatever way they cannot be read, the fault has a name. */
const unsound = ({ fault = "chain.cell", message }) => refuse(fault, `the liteserver's cells: ${message}`);
const sound = (read) => { try { return read(); } catch (error) { return unsound(error); } };
const cellsOf = (bag) => sound(() => rootsOf(bag));
/** Return cells of which nothing is pruned: what is left out of one has the right hash, too. */
const whole = (roots) => (roots.some(({ mask }) => mask) ? refuse("chain.cell", "the liteserver left a part of a cell out") : roots);
const PAST = { a: (s) => s.address(), c: (s) => s.coins(), m: (s) => s.maybe(), r: (s) => s.ref(), v: (s) => s.coins(3) };
/** A cell as it is read from its front. */
export class Slice {
  constructor(cell, at = 0, next = 0) {
    if (cell.kind === PRUNED) refuse("chain.proof", "a proof of the liteserver leaves out what it is to show");
    Object.assign(this, { cell, at, next });
  }
  copy() { return new Slice(this.cell, this.at, this.next); }
  get left() { return this.cell.bits - this.at; }
  uint(size) {
    if (size > this.left) refuse("chain.cell", "a cell ends before what it should hold");
    const [start, end] = [this.at >> 3, (this.at + size + 7) >> 3];
    this.at += size;
    return size ? BigInt.asUintN(size, big(this.cell.data.subarray(start, end)) >> BigInt(8 * end - this.at)) : 0n;
  }
  bit() { return this.uint(1) === 1n; }
  hash() { return word(this.uint(256)); }
  account() { return raw(this.uint(256)); }
  coins(size = 4) { return this.uint(8 * Number(this.uint(size))); }
  ref() { return this.cell.refs[this.next++] ?? refuse("chain.cell", "a cell has fewer references than it should"); }
  open() { return new Slice(this.ref()); }
  maybe() { return this.bit() ? this.ref() : null; }
  /** Read past fields: so many bits, or a letter of PAST; with "?" only where a bit before says so. */
  past(fields) {
    for (const each of fields.split(" "))
      if (each[0] !== "?" || this.bit()) (PAST[each.at(-1)] ?? ((s) => s.uint(Number(each.replace("?", "")))))(this);
    return this;
  }
  /** Read TL-B MsgAddress: as raw text where it is a standard one without anycast. */
  address() {
    const kind = this.uint(2);
    if (kind === 1n) return this.past(`${this.uint(9)}`) && null;
    if (kind === 2n && !this.bit()) return `${BigInt.asIntN(8, this.uint(8))}:${this.hash().toString("hex")}`;
    return kind ? refuse("chain.cell", "an address of a kind that is not known here") : null;
  }
  /** Read TL-B HmLabel: how many bits of a key, and which. */
  label(most) {
    const isWide = this.bit(), same = isWide && this.bit() ? this.uint(1) : null;
    let length = isWide ? Number(this.uint(32 - Math.clz32(most))) : 0;
    while (!isWide && this.bit()) length += 1;
    return [length, same === null ? this.uint(length) : same * ((1n << BigInt(length)) - 1n)];
  }
  /** Read TL-B HashmapE into a Map by number. */
  dict(size, read) {
    const found = new Map(), root = this.maybe(), walk = (cell, left, before) => {
      const edge = new Slice(cell), [length, bits] = edge.label(left), key = (before << BigInt(length)) | bits;
      if (length === left) found.set(key, read(edge));
      else for (const side of [0n, 1n]) walk(edge.ref(), left - length - 1, (key << 1n) | side);
    };
    if (root) walk(root, size, 0n);
    return found;
  }
}
/** Make a cell of references and of numbers, each with its bits. */
export function cell(refs, ...fields) {
  const bits = fields.reduce((sum, [, size]) => sum + size, 0), spare = -bits & 7;
  const value = fields.reduce((all, [number, size]) => (all << BigInt(size)) | BigInt.asUintN(size, BigInt(number)), 0n);
  const whole = spare ? ((value << 1n) | 1n) << BigInt(spare - 1) : value;
  return new Cell(bytes(bits ? whole.toString(16).padStart((bits + spare) / 4, "0") : ""), bits, refs);
}
export const coins = (amount, size = amount ? Math.ceil(amount.toString(16).length / 2) : 0) => [[size, 4], [amount, 8 * size]];
export const std = (text) => [[0b100, 3], [0, 8], [account(text), 256]];
export const addressOf = (code, data) => raw(big(cell([code, data], [0b00110, 5]).hash)); // the hash of code and first data
// -- transport: ADNL over TCP -----------------------------------------------------------------------------------------------------
const [QUERY, ANSWER, LITE_QUERY, REFUSED] = ["7af98bb4", "1684ac0f", "df068c79", "48e1a9bb"].map(bytes);
const CALLS = { // getMasterchainInfo, lookupBlock, getAccountState, getTransactions: each with what answers it
  head: ["2ee6b589", "81288385"], block: ["1ef7c8fa", "19822d75"], account: ["250e896b", "51c77970"], history: ["a1e7401c", "0bc6266f"] };
const P = 2n ** 255n - 19n;
const power = (base, exponent) => (exponent ? (power((base * base) % P, exponent >> 1n) * (exponent & 1n ? base : 1n)) % P : 1n);
const int = (number, size = 4) => word(BigInt.asUintN(8 * size, BigInt(number))).reverse().subarray(0, size);
const packed = (content, head = content.length < 254 ? int(content.length, 1) : Buffer.concat([int(254, 1), int(content.length, 3)])) =>
  Buffer.concat([head, content, Buffer.alloc(-(head.length + content.length) & 3)]);
/** An answer in TL as it is read behind its tag. */
class Answer {
  constructor(content) { Object.assign(this, { content, at: 4 }); }
  take(size) {
    if (this.at + size > this.content.length) refuse("chain.transport", "an answer is cut off");
    return this.content.subarray(this.at, (this.at += size));
  }
  int() { return this.take(4).readInt32LE(); }
  bytes() {
    const [first] = this.take(1), isLong = first === 254, found = this.take(isLong ? this.take(3).readUIntLE(0, 3) : first);
    return this.take(-(found.length + (isLong ? 0 : 1)) & 3) && found;
  }
}
/** A connection to one server, which holds the key that the configuration names. */
class Liteserver {
  waiting = new Map();
  rest = Buffer.alloc(0);
  constructor({ ip, port, id }) {
    const [theirs, keys] = [Buffer.from(id.key, "base64"), crypto.randomBytes(160)], own = crypto.generateKeyPairSync("ed25519").privateKey;
    const { d: seed, x: ownKey } = own.export({ format: "jwk" }), half = hashed("sha512", Buffer.from(seed, "base64url")).subarray(0, 32);
    // Both keys are Ed25519's, the secret X25519's of the same points: u = (1 + y) / (1 - y), and the first half of the seed's SHA-512.
    const y = BigInt.asUintN(255, big(Buffer.from(theirs).reverse())), u = ((1n + y) * power(P + 1n - y, P - 2n)) % P;
    const key = Buffer.concat([bytes("302e020100300506032b656e04220420"), half]);
    const privateKey = crypto.createPrivateKey({ key, format: "der", type: "pkcs8" });
    const secret = crypto.diffieHellman({ publicKey: publicKey("6e", int(u, 32)), privateKey });
    const sum = sha256(keys), aes = (secretKey, start) => crypto.createCipheriv("aes-256-ctr", secretKey, start);
    const sealed = Buffer.concat([secret.subarray(0, 16), sum.subarray(16)]), vector = Buffer.concat([sum.subarray(0, 4), secret.subarray(20)]);
    [this.into, this.out] = [[0, 64], [32, 80]].map(([at, iv]) => aes(keys.subarray(at, at + 32), keys.subarray(iv, iv + 16)));
    this.hello = Buffer.concat([sha256(bytes("c6b41348"), theirs), Buffer.from(ownKey, "base64url"), sum, aes(sealed, vector).update(keys)]);
    this.socket = connect(port, [24, 16, 8, 0].map((shift) => (ip >>> shift) & 255).join("."));
    this.socket.setTimeout(ANSWER_MS, () => this.socket.destroy(new Error("the liteserver is silent")));
  }
  /** Shake hands; whatever breaks the connection later ends every question that waits. */
  async open() {
    await new Promise((resolve, reject) => {
      this.waiting.set("hello", { resolve, reject });
      this.socket.on("connect", () => this.socket.write(this.hello)).on("error", (error) => (this.fault = error));
      this.socket.on("data", (part) => { try { this.receive(part); } catch (error) { this.socket.destroy(error); } });
      this.socket.on("close", () => {
        this.fault ??= new Error("the liteserver hung up: it is another than the configuration names, or refuses us");
        for (const each of this.waiting.values()) each.reject(this.fault);
      });
    });
    return this;
  }
  receive(part) {
    this.rest = Buffer.concat([this.rest, this.into.update(part)]);
    for (let size; this.rest.length >= 4 && this.rest.length >= 4 + (size = this.rest.readUInt32LE()); this.rest = this.rest.subarray(4 + size)) {
      const [content, sum] = [this.rest.subarray(4, Math.max(size - 28, 4)), this.rest.subarray(Math.max(size - 28, 4), 4 + size)];
      if (size < 64 || !sha256(content).equals(sum)) refuse("chain.transport", "a packet of the liteserver has another checksum");
      const message = content.subarray(32), isAnswer = message.subarray(0, 4).equals(ANSWER);
      if (isAnswer || !message.length) this.waiting.get(isAnswer ? message.toString("hex", 4, 36) : "hello")?.resolve(message);
    }
    if (this.rest.length > PACKET_BYTES_MAX) refuse("chain.transport", "a packet of the liteserver is too long");
  }
  async ask(name, ...parts) {
    const [id, [call, wanted]] = [crypto.randomBytes(32), CALLS[name]], query = packed(Buffer.concat([bytes(call), ...parts]));
    const packet = Buffer.concat([crypto.randomBytes(32), QUERY, id, packed(Buffer.concat([LITE_QUERY, query]))]);
    const place = id.toString("hex");
    if (this.fault) throw this.fault;
    const message = await new Promise((resolve, reject) => {
      this.waiting.set(place, { resolve, reject });
      this.socket.write(this.out.update(Buffer.concat([int(packet.length + 32), packet, sha256(packet)])));
    }).finally(() => this.waiting.delete(place));
    const answer = new Answer(new Answer(message.subarray(32)).bytes()), tag = answer.content.subarray(0, 4);
    if (tag.equals(REFUSED)) throw new Error(`the liteserver says: ${(answer.int(), answer.bytes())}`);
    return tag.equals(bytes(wanted)) ? answer : refuse("chain.transport", `the liteserver answers something else than ${name}`);
  }
}
// -- blocks, accounts, transactions -----------------------------------------------------------------------------------------------
const NOTHING = { lt: 0n, hash: Buffer.alloc(32), data: null };
/** Return what a Merkle proof shows of the cell whose hash is wanted. */
function proven(proof, wanted) {
  const isProof = proof?.kind === PROOF && proof.refs[0].hash.equals(wanted) && proof.data.subarray(1, 33).equals(wanted);
  return isProof ? proof.refs[0] : refuse("chain.proof", "a proof of the liteserver does not give the hash it is for");
}
/** Return an account's entry in its shard's state, of which all but the way to it may be pruned. */
function leafOf(state, key) {
  const missing = () => refuse("chain.proof", "a proof of the liteserver does not lead to the account");
  let [edge, left] = [new Slice(new Slice(state.refs[1]).maybe() ?? missing()), 256];
  for (let isLeaf = false; !isLeaf; ) {
    const [length, bits] = edge.label(left);
    left -= length;
    if (bits !== BigInt.asUintN(length, key >> BigInt(left))) refuse("chain.proof", "a proof of the liteserver is of another account");
    isLeaf = left === 0;
    if (!isLeaf) edge = new Slice(edge.cell.refs[Number((key >> BigInt(left -= 1)) & 1n)] ?? missing());
  }
  return { state: edge.past("5 c m").ref().hash, hash: edge.hash(), lt: edge.uint(64) };
}
/** Return the data of an account (TL-B Account), null where there is no contract. */
function dataOf(root) {
  const s = new Slice(root);
  if (!s.bit()) return null;
  const hasExtra = s.past("a v v").uint(3) > 0n, isActive = s.past(`${hasExtra ? "256 " : ""}32 ?c 64 c m`).bit();
  return isActive ? s.past("?5 ?2 m").maybe() : null;
}
/** Read a message; of one that bounced the body is the original's. */
function messageOf(root) {
  const s = new Slice(root), isInside = !s.bit(), isOut = !isInside && s.bit(), isBounced = isInside && (s.uint(3) & 1n) === 1n;
  const from = s.address();
  s.past(isInside ? "a c m c c 96" : isOut ? "a 96" : "a c");
  if (s.bit()) if (s.bit()) s.ref(); else s.past("?5 ?2 m m m");
  const body = s.bit() ? s.open() : s;
  const read = (rest = body.copy(), part = (size) => (rest.left >= size ? rest.uint(size) : -1n)) => {
    if (isBounced) part(32);
    return { op: Number(part(32)), query: part(64), rest };
  };
  return { from: isInside ? from : null, isBounced, read, body: () => body.copy() };
}
/** Read a transaction: what came in and went out, and whether compute and action phase went through. */
function transactionOf(root, address) {
  const s = new Slice(root);
  if (s.uint(4) !== 7n || s.account() !== address) refuse("chain.history", `a transaction of ${address} is none, or another account's`);
  const [lt, beforeHash, beforeLt, messages] = [s.uint(64), s.hash(), s.uint(64), s.past("51").open()], d = s.past("c m r").open();
  const [into, sent] = [messages.maybe(), [...messages.dict(15, (leaf) => messageOf(leaf.ref())).values()]], isOrdinary = d.uint(4) === 0n;
  if (isOrdinary) for (const phase of ["1", "c ?c ?1", "?c c m"]) if (phase === "1" || d.bit()) d.past(phase);
  const isComputed = isOrdinary && d.bit(), isOk = isComputed && !d.past("3 c r m").bit();
  const id = root.hash.toString("hex"), message = into && messageOf(into);
  return { id, lt, beforeHash, beforeLt, address, isOk, sent, message, events: [], moves: new Map() };
}
/** A network through the first server of its configuration that answers; what was asked once is remembered. */
export class Network {
  asked = new Map();
  static async open({ liteservers, validator }) {
    let [network, fault] = [new Network(), new Error("the configuration names no liteserver")];
    for (const one of liteservers) if ((network.line ??= await new Liteserver(one).open().catch((error) => void (fault = error)))) break;
    if (!network.line) throw fault;
    const answer = await network.line.ask("head"), zero = Buffer.from(validator.zero_state.root_hash, "base64");
    network.final = answer.take(80).readInt32LE(12);
    return answer.take(68).subarray(36).equals(zero) ? network : network.close(new Error("the node is on another chain than its configuration"));
  }
  close(why) {
    this.line.socket.destroy();
    if (why) throw why;
  }
  /** Return the masterchain block of a number, its network and time proven by its own hash. */
  async block(height) {
    const seqno = Number(height), isThere = seqno > 0 && seqno <= this.final;
    if (!isThere || this.asked.has(seqno)) return isThere ? this.asked.get(seqno) : null;
    const answer = await this.line.ask("block", int(1), int(-1), int(-(2n ** 63n), 8), int(seqno)), id = answer.take(80), hash = id.subarray(16, 48);
    const s = new Slice(proven(cellsOf((answer.int(), answer.bytes()))[0], hash)).past("32"), chainId = BigInt.asIntN(32, s.uint(32));
    const info = s.open().past("80"), isIt = info.uint(32) === BigInt(seqno) && info.past("40").uint(32) === 0xffffffffn;
    if (!isIt) refuse("chain.proof", `the liteserver gave another block for ${seqno}`);
    return this.asked.set(seqno, { id, chainId, hash: hash.toString("hex"), timestamp: info.past("64").uint(32) }).get(seqno);
  }
  /** Return an account as of a block: its last transaction and data, proven by the hash of its shard's block. */
  async state(address, height) {
    const block = await this.block(height), name = `${address} ${height}`;
    if (!block || this.asked.has(name)) return this.asked.get(name) ?? NOTHING;
    const answer = await this.line.ask("account", block.id, int(0), word(account(address))), isFor = answer.take(80).equals(block.id);
    const shard = answer.take(80).subarray(16, 48), [, proof, state] = [answer.bytes(), answer.bytes(), answer.bytes()];
    if (!isFor) refuse("chain.proof", `the liteserver answers for another block than ${height}`);
    if (!state.length) return NOTHING;
    const [root] = whole(cellsOf(state)), [header, accounts] = cellsOf(proof);
    const leaf = sound(() => leafOf(proven(accounts, proven(header, shard).refs[2].refs[1].hash), account(address)));
    if (!leaf.state.equals(root.hash)) refuse("chain.proof", `the liteserver gave another state of ${address} than it proved`);
    return this.asked.set(name, { ...leaf, data: sound(() => dataOf(root)) }).get(name);
  }
  /** Return an account's transactions up to a block: each is named by its hash in the next one, the last one in the account's proof. */
  async history(address, height) {
    const found = [];
    for (let { lt, hash } = await this.state(address, height); lt; ) {
      const answer = await this.line.ask("history", int(PAGE), int(0), word(account(address)), int(lt, 8), hash);
      const count = answer.int(), roots = count > 0 && answer.take(80 * count) ? whole(cellsOf(answer.bytes())) : [];
      if (!roots.length || found.length > TXS_MAX) refuse("chain.history", `the liteserver has not all transactions of ${address}`);
      for (const root of roots) if (lt) {
        const tx = root.hash.equals(hash) && sound(() => transactionOf(root, address));
        if (tx?.lt !== lt) refuse("chain.history", `transaction ${hash.toString("hex")} of ${address} is left out or changed by the liteserver`);
        [lt, hash] = [found[found.push(tx) - 1].beforeLt, tx.beforeHash];
      }
    }
    return found;
  }
}

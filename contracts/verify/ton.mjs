// What the desk's contracts did on TON, for verify.mjs: told by their own transactions, of which none can be missing (liteserver.mjs), and held
// against the records and books that they store themselves. Their cells: contracts/ton/schema.tlb. What is proven: docs/audit.md.
import { verify } from "node:crypto";
import { readFileSync } from "node:fs";
import { account, addressOf, big, bytes, cell, coins, Network, publicKey, raw, refuse, Slice, std } from "./liteserver.mjs";
/** Return what is read from content that anybody may send and no contract need understand: what mattered shows in the balances. */
const guarded = (read, otherwise) => { try { return read(); } catch { return otherwise; } };
const OP = { fill: 0x444d0101, withdraw: 0x444d0103, resolve: 0x444d010b, confirm: 0x444d010d, deposit: 0x444d010f, payout: 0x444d0181,
  refused: 0x444d0183, pay: 0x444d0201, buyback: 0x444d0202, burnBought: 0x444d0203, endPayment: 0x444d0204, bought: 0x444d0281,
  transfer: 0x0f8a7ea5, notified: 0x7362d09c, excesses: 0xd53276db, burn: 0x595f07bc, burnt: 0x7bdd97de, arrives: 0x178d4519 };
const [PENDING, PAID, RETURNED, BOUGHT, BURNING, BURNT] = [1, 2, 3, 4, 5, 6], RETENTION_S = 2_592_000n;
/** The wallet that takers send from, highload v3: hash and depth of its code, its first data, and what an acceptance sends with it. */
const HIGHLOAD = { mask: 0, at: () => [bytes("11acad7955844090f283bf238bc1449871f783e7cc0979408d3f4859483e8525"), 6] };
const [SUBWALLET, TIMEOUT_S, ACCEPTED_BEFORE_S, TAKER_NANOTON, FILL_NANOTON] = [0x10ad, 2_592_000, 86_400n, 650_000_000n, 450_000_000n];
const shortOf = (key) => BigInt(`0x${key.slice(0, 16)}`); // all that TEP-74 carries of a payment's key
const listing = (s, layout = s.uint(8)) => ({ layout, minter: s.past("c").account(), code: s.ref() });
const words = (s) => s.dict(16, (leaf) => leaf.uint(256));
const payload = (rest) => guarded(() => {
  const inner = rest.bit() ? rest.open() : rest;
  return { op: Number(inner.copy().uint(32)), inner };
}, { op: -1 });
function vaultOf(data) {
  const s = new Slice(data), signer = s.hash(), rest = s.past("32 c").open();
  const pending = s.past("16").dict(32, (leaf) => ({ gross: leaf.past("544 c").coins(), asset: leaf.open().account() })), used = words(s.past("c"));
  const books = s.dict(256, (leaf) => ({ free: leaf.coins(), owed: leaf.coins(), ...listing(leaf.open()) }));
  const payouts = rest.past("a a a 80 m").dict(64, (leaf) => ({ asset: leaf.past("256").account(), gross: leaf.past("256").coins() }));
  const marks = rest.open();
  return { signer, pending, used, books, payouts, refunded: words(marks), cancelled: words(marks) };
}
function treasuryOf(data) {
  const s = new Slice(data), record = (leaf) => ({ key: leaf.hash().toString("hex"), state: Number(leaf.past("32").uint(4)) });
  const records = s.past("17 r").dict(64, record), lines = s.dict(256, (leaf) => leaf.past("c 32 c 1").maybe());
  return { records, held: [...lines.values()].filter(Boolean).map((holding) => listing(new Slice(holding))) };
}
/** Read a quote and its signature; together they are its mark. */
function signedOf(signed) {
  const signature = signed.uint(512).toString(16).padStart(128, "0"), quote = signed.ref(), s = new Slice(quote).past("64 256 256 64");
  const [nonce, quoteId, terms] = [s.uint(32), `0x${s.hash().toString("hex")}`, s.open()];
  const [gives, takes, most, whole] = [terms.account(), terms.account(), terms.coins(), terms.coins()];
  return { mark: quote.hash.toString("hex") + signature, nonce, quoteId, gives, takes, most, whole };
}
/** The chain as verify.mjs asks for it: as of the export's block, each deal and payment told once, by the transaction that ends it. */
export class Ton {
  provider = { destroy: () => this.network?.close() };
  constructor(config, header, tools) {
    Object.assign(this, { config, header, ...tools, vault: header.contracts.settlement, treasury: header.contracts.treasury, marks: new Set() });
    for (const name of ["codes", "assets", "all", "payments", "deals", "signers", "funded"]) this[name] = new Map();
    [this.tokens, this.vaults] = [header.tokens, header.vaults].map((names) => new Map(Object.entries(names).map(([name, at]) => [at, name])));
  }
  async open(acts) {
    this.network = await Network.open(JSON.parse(readFileSync(this.config, "utf8")));
    this.height = Math.min(Number(this.header.height), this.network.final);
    const { final } = this.network, { chainId } = await this.block(final);
    if (chainId === this.header.chain_id) await this.load(acts);
    return { chainId, final };
  }
  block(height) { return this.network.block(height); }
  state(address, height = this.height) { return this.network.state(address, height); }
  async load(acts) {
    const { vault, treasury, height } = this, { timestamp } = await this.block(height);
    const read = async (at, parse) => { const { data } = await this.state(at); return data ? parse(data) : null; };
    [this.books, this.records] = [await read(vault, vaultOf), await read(treasury, treasuryOf)];
    if (!this.books || !this.records) refuse("chain.contract", "the vault or the treasury of the export has no contract at its block");
    for (const { minter, layout, code } of [...this.books.books.values(), ...this.records.held]) {
      const known = this.codes.get(minter) ?? this.codes.set(minter, { layout, code }).get(minter), isSame = known.code.hash.equals(code.hash);
      if (known.layout !== layout || !isSame) this.fail("token.codes", `${minter} is listed with two codes of its wallets`);
    }
    for (const [minter, symbol] of this.tokens) if (!this.codes.has(minter)) this.fail("token.unlisted", `no contract of ours lists ${symbol}`);
      else for (const owner of [vault, treasury]) this.assets.set(this.wallet(owner, minter), { owner, minter, symbol });
    const followed = [vault, treasury, ...[...this.assets.keys()].filter((wallet) => this.assets.get(wallet).owner === treasury)];
    for (const at of followed) this.funded.set(at, (await this.state(at, this.header.funding_height)).lt);
    const txs = (await Promise.all(followed.map((at) => this.network.history(at, height)))).flat().sort((one, two) => Number(one.lt - two.lt));
    for (const tx of txs) {
      const how = { [vault]: "ofVault", [treasury]: "ofTreasury" }[tx.address] ?? "ofWallet";
      if (this.all.set(tx.id, tx) && tx.isOk && tx.message) guarded(() => this[how](tx, tx.message.read()));
    }
    const { records } = this.records;
    for (const short of new Set([...records.keys(), ...this.payments.keys()])) {
      const [said, seen] = [records.get(short), this.payments.get(short)], isSwept = !said && seen.deadline + RETENTION_S < timestamp;
      if (!isSwept && (said?.key !== seen?.key || said?.state !== seen?.state))
        this.fail("key.state", `the treasury's record of ${(said ?? seen).key} is not what its transactions say`);
    }
    for (const { inputs: { quote } } of acts) if (quote) this.signers.set(quote.maker, await read(quote.maker, (data) => new Slice(data).hash()));
  }
  wallet(owner, minter) {
    const { layout, code } = this.codes.get(minter) ?? refuse("verify", `the wallets of ${minter} are not known`);
    return addressOf(code, cell(layout === 2n ? [code] : [], ...(layout === 1n ? [[0, 4]] : []), ...coins(0n), ...std(owner), ...std(minter)));
  }
  tell(tx, legs, event) {
    const vault = this.vaults.get(this.assets.get(tx.address)?.owner ?? tx.address);
    for (const [wallet, change] of legs) if (vault && this.assets.has(wallet)) {
      const key = `${vault}/${this.assets.get(wallet).symbol}`;
      tx.moves.set(key, (tx.moves.get(key) ?? 0n) + change);
    }
    if (event) tx.events.push(event);
  }
  ofVault(tx, { op, query, rest }) {
    const end = (nonce, isDelivered) => {
      const deal = this.deals.get(nonce);
      if (!this.deals.delete(nonce) || !isDelivered) return;
      this.marks.add(deal.mark);
      const event = { contract: "settlement", name: "Filled", args: { ...deal, maker: this.vault } };
      this.tell(tx, [[deal.takes, deal.amount], [deal.gives, -deal.gross]], event);
    };
    const take = (fill) => { // what the vault sends on under the quote's nonce tells that it was accepted
      const [amount, recipient, deal] = [fill.past("96").coins(), fill.past("c").address(), signedOf(fill.past("c m").open())];
      const sent = tx.sent.map((message) => message.read()).find((each) => each.query === deal.nonce && [OP.transfer, OP.payout].includes(each.op));
      const gross = amount === deal.whole ? deal.most : (deal.most * amount) / deal.whole;
      if (sent) this.deals.set(deal.nonce, { ...deal, amount, gross, recipient });
      if (sent?.op === OP.payout) end(deal.nonce, true);
    };
    if (tx.message.isBounced) return op === OP.transfer && end(query, false);
    if (op === OP.notified) {
      const [amount, content] = [rest.coins(), payload(rest.past("a"))];
      if (content.op === OP.deposit) this.tell(tx, [[tx.message.from, amount]]);
      if (content.op === OP.fill) take(content.inner);
    }
    if (op === OP.fill) take(tx.message.body());
    if (op === OP.withdraw) this.tell(tx, [[rest.account(), -rest.coins()]]);
    if (op === OP.excesses || op === OP.confirm) end(op === OP.confirm ? rest.uint(32) : query, true);
    return op === OP.resolve && end(rest.uint(64), rest.bit());
  }
  /** Return the payment that is open under a query id. */
  under(short) { return this.payments.get(short)?.isClosed ? undefined : this.payments.get(short); }
  /** Return the open payment that jettons belong to by what came with them: what it bought, or its own way back. */
  belongs({ op, inner }, wallet, sender, amount) {
    const key = op === OP.bought && guarded(() => inner.copy().past("32").hash().toString("hex"));
    const found = key ? this.under(shortOf(key)) : op === OP.refused ? guarded(() => this.under(inner.copy().past("32").uint(64))) : undefined;
    const isBought = found?.key === key && found.state === PENDING && found.to === sender && found.buys === wallet && amount >= found.least;
    return (key ? isBought : found?.asset === wallet && found.amount === amount) ? found : undefined;
  }
  ofWallet(tx, { op, query, rest }) {
    const add = (payment, change) => (payment ? payment.legs.push([tx.address, change]) : this.tell(tx, [[tx.address, change]]));
    const known = this.under(query), amount = guarded(() => rest.coins(), 0n);
    if (tx.message.isBounced) return [OP.arrives, OP.burnt].includes(op) && add(known, amount);
    if (op === OP.transfer) add(known?.asset === tx.address && known.amount === amount ? known : undefined, -amount);
    if (op === OP.burn) add(known, -amount);
    if (op !== OP.arrives) return false;
    const [sender, content] = [rest.address(), payload(rest.past("a c"))], owner = this.belongs(content, tx.address, sender, amount);
    return add(content.op === OP.bought && owner?.legs.some(([, change]) => change > 0n) ? undefined : owner, amount);
  }
  close(tx, payment, state) {
    const { key, asset, buys, bought: boughtAmount, amount, ...rest } = Object.assign(payment, { state, isClosed: true });
    const token = this.assets.get(asset)?.minter, paid = { token, amount, paidToken: token, paidAmount: amount, boughtAmount };
    const args = { ...rest, ...paid, key: `0x${key}` };
    const event = state !== RETURNED && { contract: "treasury", name: buys ? "BoughtBack" : "Paid", args };
    if (event) this.marks.add(payment.mark);
    this.tell(Object.assign(tx, { operator: payment.by }), payment.legs, event);
  }
  ofTreasury(tx, { op, query, rest }) {
    const { from: by, isBounced } = tx.message, known = this.under(query), state = known?.state;
    if (isBounced && state === PENDING && [OP.transfer, OP.fill].includes(op)) this.close(tx, known, RETURNED);
    if (isBounced && state === BURNING && op === OP.burn) known.state = BOUGHT;
    if (isBounced) return;
    if (op === OP.pay || op === OP.buyback) {
      const begun = { key: rest.hash().toString("hex"), deadline: rest.uint(32), by, state: PENDING, legs: [], bought: 0n };
      if (op === OP.pay) Object.assign(begun, { asset: rest.account(), to: rest.account(), amount: rest.coins() });
      else {
        const [to, amount, terms] = [rest.account(), rest.coins(), rest.open()], { mark, quoteId } = guarded(() => signedOf(rest.open()), {});
        Object.assign(begun, { to, amount, asset: terms.account(), buys: terms.account(), least: terms.coins(), burnt: terms.bit(), mark, quoteId });
      }
      this.payments.set(shortOf(begun.key), begun);
      if (!begun.buys && !account(begun.asset)) this.close(tx, begun, PAID); // TON has left with the message
    }
    if (op === OP.notified) {
      const [amount, sender, content] = [rest.coins(), rest.address(), payload(rest)], owner = this.belongs(content, by, sender, amount);
      if (content.op === OP.refused) { if (owner?.buys && owner.state === PENDING && owner.to === sender) this.close(tx, owner, RETURNED); }
      else if (owner) this.arrived(tx, Object.assign(owner, { bought: amount }), BURNING);
    }
    if (op === OP.excesses && state === PENDING && !known.buys && this.isOf(by, known.to, known.asset)) this.close(tx, known, PAID);
    if (op === OP.excesses && state === BURNING && by === this.assets.get(known.buys)?.minter) this.close(tx, known, BURNT);
    const ended = [OP.burnBought, OP.endPayment].includes(op) ? this.under(shortOf(rest.hash().toString("hex"))) : undefined;
    if (op === OP.burnBought && ended?.state === BOUGHT) ended.state = BURNING;
    if (op !== OP.endPayment || ended?.state !== PENDING) return;
    if (!rest.bit()) this.close(tx, ended, RETURNED);
    else if (ended.buys) this.arrived(tx, ended, BOUGHT);
    else this.close(tx, ended, PAID);
  }
  /** A purchase is over when it has arrived, or, where it is to be burnt, when that has happened. */
  arrived(tx, payment, next) { if (payment.burnt) payment.state = next; else this.close(tx, payment, BOUGHT); }
  isOf(wallet, owner, asset) { return this.assets.has(asset) && wallet === this.wallet(owner, this.assets.get(asset).minter); }
  // -- what verify.mjs asks
  async sequence() { return new Slice((await this.state(this.header.contracts.governor, this.height)).data).past("a 320").uint(64); }
  payment(id) { const found = this.payments.get(shortOf(id)); return found?.key === id ? found : undefined; }
  keyIsUsed(id) { return Boolean(this.payment(id)?.isClosed) && this.payment(id).state !== RETURNED; }
  /** Return a word of nonces that were settled: used, and neither cancelled, refunded nor under way. */
  used(maker, nonce) {
    const { used, cancelled, refunded, pending } = this.books, at = nonce >> 8n;
    const [all, ...less] = [used, cancelled, refunded].map((words) => words.get(at) ?? 0n);
    for (const each of pending.keys()) if (each >> 8n === at) less.push(1n << (each & 255n));
    return maker === this.vault ? less.reduce((left, each) => left & ~each, all) : 0n;
  }
  /** Tell whether a contract gave an intent up: true when it came back, false while it is under way; else the deadline has to say. */
  ended({ kind, intent_id: id, inputs: { quote } }) {
    const { refunded, pending } = this.books, found = this.payment(id);
    const [isBack, isOpen] = kind !== "quote" ? [found?.state === RETURNED, found && !found.isClosed]
      : [((refunded.get(quote.nonce >> 8n) ?? 0n) >> (quote.nonce & 255n)) & 1n, pending.has(quote.nonce)];
    return isBack ? true : isOpen ? false : undefined;
  }
  /** Return what an owner has of a jetton, vault and treasury as if what is under way had not begun. */
  async held(owner, minter) {
    const { height } = this, wallet = this.codes.has(minter) ? this.wallet(owner, minter) : null, { data } = wallet ? await this.state(wallet) : {};
    const sum = (rows) => [...rows].reduce((total, { asset, gross }) => total + (asset === wallet ? gross : 0n), 0n);
    const open = [...this.payments.values()].filter(({ isClosed }) => !isClosed).flatMap(({ legs }) => legs);
    const own = data ? new Slice(data).past(this.codes.get(minter).layout === 1n ? "4" : "0").coins() : 0n;
    if (owner !== this.vault) return { height, atoms: own - (owner === this.treasury ? sum(open.map(([asset, gross]) => ({ asset, gross }))) : 0n) };
    const { free, owed } = this.books.books.get(wallet && account(wallet)) ?? { free: 0n, owed: 0n }, giving = sum(this.books.pending.values());
    const lacks = free + owed - giving - sum(this.books.payouts.values()) - own;
    return { height, atoms: free + giving - (lacks > 0n ? lacks : 0n) };
  }
  /** Return what ended, with heights that tell the funding from what came after it; past the export's block there is nothing to see. */
  txs(first) {
    const { height, funding_height: funding } = this.header, told = [...this.all.values()].filter(({ events, moves }) => events.length || moves.size);
    return first > height ? [] : told.map((tx) => ({ ...tx, height: tx.lt <= this.funded.get(tx.address) ? funding : height }));
  }
  /** Return a transaction; its height is the one that is claimed if the account has it there and not a block before. */
  async tx(id, { height }) {
    const tx = this.all.get(id), [before, then] = tx ? [await this.state(tx.address, height - 1n), await this.state(tx.address, height)] : [];
    const isThere = tx && before.lt < tx.lt && tx.lt <= then.lt;
    const said = { height: isThere ? height : undefined, hasSucceeded: tx?.isOk, isSigned: true, sender: tx?.operator, isInBlock: () => isThere };
    return tx && { ...tx, ...said };
  }
  quote(q) {
    const [gives, takes] = [q.maker_asset, q.taker_asset].map((asset) => account(this.wallet(q.maker, this.header.tokens[asset])));
    const amounts = [q.maker_amount, q.taker_amount, q.min_fill ?? q.taker_amount].flatMap((amount) => coins(amount));
    const fee = q.fee_bps ? [cell([], [q.fee_bps, 16], [account(q.fee_recipient), 256])] : [];
    return cell([cell([], [gives, 256], [takes, 256], ...amounts), ...fee], [0x444d4d51, 32], [this.header.chain_id, 32], [account(q.maker), 256],
      [account(q.taker), 256], [q.settle_by_s, 32], [q.settle_by_s, 32], [q.nonce, 32], [this.quoteId(q), 256], [fee.length, 1], [0, 1]);
  }
  /** Tell whether a quote's maker signed it: with the key its vault has now, or had when the chain took it. */
  isMakers(q, signature) {
    const { hash } = this.quote(q), key = this.signers.get(q.maker), isTaken = this.marks.has(hash.toString("hex") + signature.toString("hex"));
    return q.contract === q.maker && (isTaken || verify(null, hash, publicKey("70", key), signature));
  }
  hasSigned(q, who, signature, a, signed = bytes(signature)) {
    if (who === "signer") return this.isMakers(q, signed);
    // An acceptance is the taker's own order to its wallet: its jettons with the quote.
    const [owner, query, maker, own] = [[0, 32], [32, 36], [36, 100], [100, 164]].map(([from, to]) => signed.subarray(from, to));
    const gross = (q.maker_amount * a.amount) / q.taker_amount, net = gross - (gross * q.fee_bps + 9999n) / 10000n, amount = coins(a.amount);
    const quote = cell([this.quote(q)], [big(maker), 512]), wallet = this.wallet(q.taker, this.header.tokens[q.taker_asset]);
    const fill = cell([quote], [OP.fill, 32], [q.nonce, 64], ...amount, ...coins(net), ...std(a.recipient), [0, 5]);
    const forward = [[0, 1], ...coins(FILL_NANOTON), [1, 1]];
    const body = cell([fill], [OP.transfer, 32], [q.nonce, 64], ...amount, ...std(q.maker), ...std(q.taker), ...forward);
    const message = cell([body], [0b011000, 6], ...std(wallet), ...coins(TAKER_NANOTON), [0, 105], [0b01, 2]);
    const order = cell([message], [SUBWALLET, 32], [1, 8], [big(query), 23], [q.expiry_s - ACCEPTED_BEFORE_S, 64], [TIMEOUT_S, 22]);
    const first = cell([], [big(owner), 256], [SUBWALLET, 32], [0, 66], [TIMEOUT_S, 22]), isIts = addressOf(HIGHLOAD, first) === q.taker;
    return signed.length === 164 && isIts && this.isMakers(q, maker) && verify(null, order.hash, publicKey("70", owner), own);
  }
}

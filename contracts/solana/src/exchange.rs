//! Both legs of a quote: taker to maker, maker to recipient, maker to the fee account.

use pinocchio::{
    address::{address_eq, Address},
    cpi::{Seed, Signer},
    error::ProgramError,
    AccountView, ProgramResult,
};

use crate::{
    abi::EVENT_FILLED,
    chain::{emit, Event, Hash},
    error::{require, Refusal},
    quote::{Flows, Parties, Terms},
    state::Maker,
    token::{Asset, Transfer},
};

/// The accounts that every way of settling a quote names alike, from the maker on.
pub struct Accounts<'a> {
    pub maker: &'a AccountView,
    pub taker_source: &'a AccountView,
    pub maker_destination: &'a AccountView,
    pub maker_source: &'a AccountView,
    pub recipient: &'a AccountView,
    pub fee_account: &'a AccountView,
    pub taker_asset: Asset<'a>,
    pub maker_asset: Asset<'a>,
}

impl<'a> Accounts<'a> {
    /// Check everything about the accounts that does not depend on the quote.
    #[inline(always)]
    pub fn new(maker: &'a AccountView, rest: &'a [AccountView; 9]) -> Result<Self, ProgramError> {
        let [taker_source, maker_destination, maker_source, recipient, fee_account, taker_mint, maker_mint, taker_program, maker_program] =
            rest;
        require(!address_eq(taker_mint.address(), maker_mint.address()), Refusal::SameToken)?;
        let accounts = Self {
            maker,
            taker_source,
            maker_destination,
            maker_source,
            recipient,
            fee_account,
            taker_asset: Asset::new(taker_mint, taker_program)?,
            maker_asset: Asset::new(maker_mint, maker_program)?,
        };
        // A transfer from an account to itself succeeds and moves nothing.
        require(
            !address_eq(taker_source.address(), maker_destination.address())
                && !address_eq(maker_source.address(), recipient.address()),
            Refusal::DuplicateAccount,
        )?;
        accounts.taker_asset.require_account(maker_destination, maker.address())?;
        accounts.maker_asset.require_account(maker_source, maker.address())?;
        Ok(accounts)
    }

    /// What the quote binds among these accounts.
    #[inline(always)]
    pub fn parties(
        &'a self,
        program: &'a Address,
        book: &'a MakerKeys,
        signer: &'a Hash,
        taker: &'a Address,
    ) -> Parties<'a> {
        Parties {
            program,
            network: &book.network,
            maker: self.maker.address(),
            signer,
            taker,
            maker_mint: self.maker_asset.mint(),
            taker_mint: self.taker_asset.mint(),
            fee_account: self.fee_account.address(),
        }
    }

    /// Move both legs. What was not checked before, the token programs check:
    /// the taker's right to its source, frozen and closed accounts, balances, one mint on both ends.
    #[inline(always)]
    pub fn settle(&self, flows: &Flows, taking: &Taking) -> ProgramResult {
        let Taking { authority, signers, book } = taking;
        self.taker_asset.transfer(
            &Transfer {
                from: self.taker_source,
                to: self.maker_destination,
                authority,
                amount: flows.taken,
            },
            signers,
        )?;
        let bump = [book.bump];
        let seeds = [Seed::from(b"maker"), Seed::from(&book.authority), Seed::from(&bump)];
        let maker = [Signer::from(&seeds)];
        let (from, authority) = (self.maker_source, self.maker);
        if flows.output != 0 {
            let amount = flows.output;
            let to = self.recipient;
            self.maker_asset.transfer(&Transfer { from, to, authority, amount }, &maker)?;
        }
        if flows.fee != 0 {
            let amount = flows.fee;
            let to = self.fee_account;
            require(!address_eq(to.address(), from.address()), Refusal::DuplicateAccount)?;
            self.maker_asset.transfer(&Transfer { from, to, authority, amount }, &maker)?;
        }
        Ok(())
    }

    /// Tell that a quote was settled.
    #[inline(always)]
    pub fn announce(&self, terms: &Terms, flows: &Flows) {
        emit(
            &Event::<104>::new(EVENT_FILLED)
                .with(terms.quote_id)
                .with(self.maker.address().as_array())
                .number(terms.nonce)
                .number(flows.taken)
                .number(flows.output)
                .number(flows.fee),
        );
    }
}

/// What signing as the maker needs, copied so that its account is not borrowed during transfers.
pub struct MakerKeys {
    pub authority: Hash,
    pub network: Hash,
    pub bump: u8,
}

impl MakerKeys {
    #[inline(always)]
    pub fn of(maker: &Maker) -> Self {
        Self { authority: maker.authority, network: maker.network, bump: maker.bump }
    }
}

/// Who moves the taker's leg, and the seeds if it is one of our own addresses.
pub struct Taking<'a> {
    pub authority: &'a AccountView,
    pub signers: &'a [Signer<'a, 'a>],
    pub book: &'a MakerKeys,
}

//! Goes on inside a large member, and says where the next attempt can.
//!
//! What is saved are the states of the member's digests, the checksum of the tar and the place. The
//! header and the window of the format, some 320 KiB, are read from the tar again. Whatever does
//! not fit together begins the member anew: that costs time, and nothing else.

use std::ops::Range;

use bytes::BytesMut;
use muniment_digest::Crc64;
use muniment_formats::{WINDOW_BYTES, Window};
use muniment_model::{Crc64Nvme, FileRecord, Inside};
use muniment_runtime::JobError;
use tracing::info;

use super::members::LargeMember;
use super::pass::{Halted, Open, Pass};
use crate::upload;

impl Pass<'_> {
    /// Reads the member's header, and goes on at the place that was saved, or at the member's first byte.
    pub(super) async fn go_on_inside(&mut self, inside: &Inside) -> Result<(), Halted> {
        let header = self.stream.position()..inside.data_offset;
        let bytes = self.read_range(header).await?;
        self.read_block(&bytes.freeze()).await?;
        self.go_on_at(inside).await?;
        let tar = &self.stager.tar;
        let position = self.parser.position();
        info!(tar = %tar.key, position, "reading goes on inside a member");
        self.stream = self.bucket.read(tar, position, self.job.stop());
        Ok(())
    }

    async fn go_on_at(&mut self, inside: &Inside) -> Result<(), JobError> {
        let Open::Large(record, fresh) = &self.open else {
            return Ok(());
        };
        if record.data_offset != inside.data_offset || inside.position < inside.data_offset {
            return Ok(());
        }
        let data = inside.data_offset..inside.position.min(inside.data_offset + record.size);
        let few = WINDOW_BYTES as u64;
        let first = data.start..data.end.min(data.start + few);
        let last = data.end.saturating_sub(few).max(data.start)..data.end;
        let (first, last) = (self.read_range(first).await?, self.read_range(last).await?);
        let member = Window::resume(&first, &last, data.end - data.start)
            .and_then(|window| fresh.resume(&inside.digests, window));
        if let Some(member) = member
            && self.parser.skip_to(inside.position)
        {
            self.open = Open::Large(record.clone(), Box::new(member));
            self.crc = Crc64::resume(inside.crc64nvme);
        }
        Ok(())
    }

    /// Bytes of the tar that are few.
    async fn read_range(&self, range: Range<u64>) -> Result<BytesMut, JobError> {
        let mut stream = self
            .bucket
            .read_range(&self.stager.tar, range, self.job.stop());
        let mut bytes = BytesMut::new();
        while let Some(frame) = stream
            .next()
            .await
            .map_err(|error| upload::explain_read(self.job.item(), error))?
        {
            bytes.extend_from_slice(&frame);
        }
        Ok(bytes)
    }

    /// Saves the place that the reading has come to, if it is inside a large member. To be called
    /// between two blocks.
    pub(super) async fn save_inside(&mut self) -> Result<(), JobError> {
        if !matches!(&self.open, Open::Large(_, member) if member.can_be_continued()) {
            return Ok(());
        }
        let Open::Large(record, member) = std::mem::replace(&mut self.open, Open::Skipped) else {
            return Ok(());
        };
        let place = (self.parser.position(), self.crc.value());
        let member = self.save_place(&record, *member, place).await?;
        self.open = Open::Large(record, Box::new(member));
        Ok(())
    }

    /// Saves the place after the bytes that the member has taken, given how far the tar is read and its
    /// checksum up to there.
    pub(super) async fn save_place(
        &mut self,
        record: &FileRecord,
        member: LargeMember,
        (position, crc64nvme): (u64, Crc64Nvme),
    ) -> Result<LargeMember, JobError> {
        // What is before the member has to be written first.
        self.join_all().await?;
        let (member, digests) = member.save().await?;
        self.ledger
            .save_inside(Inside {
                data_offset: record.data_offset,
                position,
                crc64nvme,
                digests,
            })
            .await?;
        Ok(member)
    }
}

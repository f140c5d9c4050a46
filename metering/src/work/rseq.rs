//! Detects, without a system call, whether the calling thread has been switched out since it last asked.
//!
//! A restartable sequence is a piece of code that must not be interrupted halfway. While the field `rseq_cs` in the
//! registered area of a thread points to its description, the kernel checks it whenever the thread continues after
//! preemption, migration, blocking or a signal. If the thread is outside the described code, the kernel only clears the
//! field. The code described here is empty, so no thread is ever inside: the kernel clears the field and does nothing
//! else. A field that still holds the pointer proves that the thread has kept its processor, except for interrupts. The
//! C library registers the area of each thread and leaves the field to others. Another user overwrites the pointer,
//! which looks like a switch.
//!
//! Since Linux 6.19, a thread with the larger area of newer C libraries keeps the field when it blocks in a system call
//! and continues on the same processor. There this method does not work.
//!
//! This is the only file of the crate with `unsafe` code.
//!
//! Source: `__rseq_handle_notify_resume`, `rseq_ip_fixup` and `rseq_get_rseq_cs` in Linux `kernel/rseq.c`;
//! `rseq_sched_switch_event` in `include/linux/rseq_entry.h` (6.19); glibc manual, *Restartable Sequences* (2.35).

#![allow(unsafe_code)] // The area is plain memory that the kernel writes to, at an offset from the thread pointer.

/// Starts watching the calling thread. False if that is impossible.
#[inline]
pub(super) fn arm() -> bool {
    area::registered().map(area::Area::arm).is_some()
}

/// Whether the thread has not been switched out since it was armed.
#[inline]
pub(super) fn is_armed() -> bool {
    area::registered().is_some_and(area::Area::is_armed)
}

/// The processor that the calling thread is on.
#[inline]
pub(super) fn cpu() -> Option<u32> {
    area::registered().map(area::Area::cpu)
}

/// The area as glibc registers it.
#[cfg(all(target_os = "linux", target_env = "gnu", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod area {
    use std::ffi::{CStr, c_uint};
    use std::ptr;
    use std::sync::OnceLock;

    /// `struct rseq` of Linux `include/uapi/linux/rseq.h`, as far as it has been there from the beginning.
    #[repr(C, align(32))]
    struct Rseq {
        cpu_id_start: u32,
        cpu_id: u32,
        /// The kernel's `rseq_cs`.
        section: u64,
        flags: u32,
    }

    /// `struct rseq_cs` of the same file.
    #[repr(C, align(32))]
    struct Section {
        version: u32,
        flags: u32,
        start_ip: *const u32,
        post_commit_offset: u64,
        abort_ip: *const u32,
    }

    // SAFETY: the pointers are addresses for the kernel to compare; nobody writes through them.
    unsafe impl Sync for Section {}

    /// What has to stand before an abort handler so that the kernel takes a section for genuine: glibc's `RSEQ_SIG`
    /// for the architecture, which it has registered.
    const SIGNATURE: u32 = if cfg!(target_arch = "x86_64") { 0x5305_3053 } else { 0xd428_bc00 };

    /// The signature, and the place of an abort handler behind it that is never gone to.
    static ABORT: [u32; 2] = [SIGNATURE, 0];

    /// No code at all: a length of nothing.
    static NOWHERE: Section = Section {
        version: 0,
        flags: 0,
        start_ip: &raw const ABORT[1],
        post_commit_offset: 0,
        abort_ip: &raw const ABORT[1],
    };

    /// The registered area of the calling thread.
    #[derive(Clone, Copy)]
    pub(super) struct Area(*mut Rseq);

    /// The area of the calling thread, if the kernel knows of it.
    #[inline]
    pub(super) fn registered() -> Option<Area> {
        static OFFSET: OnceLock<Option<isize>> = OnceLock::new();
        let offset = (*OFFSET.get_or_init(offset))?;
        let area = Area(thread_pointer().wrapping_byte_offset(offset).cast());
        // Negative: not registered, or refused.
        (area.cpu().cast_signed() >= 0).then_some(area)
    }

    impl Area {
        #[inline]
        pub(super) fn arm(self) {
            // SAFETY: `registered` is the only maker of an `Area`, and the type cannot leave its thread (it holds a raw
            // pointer), whose control block outlives everything that runs on it. The field is aligned, and user space
            // is its only other writer, on this same thread. The description is static and passes the checks that the
            // kernel makes of it: version 0, user addresses, the registered signature before `abort_ip`, and an abort
            // handler outside of the section, as everything is outside of an empty one. No instruction is in it, so
            // that the kernel never changes where the thread goes on.
            unsafe { ptr::write_volatile(&raw mut (*self.0).section, (&raw const NOWHERE).addr() as u64) }
        }

        #[inline]
        pub(super) fn is_armed(self) -> bool {
            // SAFETY: as in `arm`. Volatile, since the kernel writes it between two instructions of this thread.
            let section = unsafe { ptr::read_volatile(&raw const (*self.0).section) };
            section == (&raw const NOWHERE).addr() as u64
        }

        #[inline]
        pub(super) fn cpu(self) -> u32 {
            // SAFETY: as in `is_armed`.
            unsafe { ptr::read_volatile(&raw const (*self.0).cpu_id) }
        }
    }

    /// Where glibc has put the area, seen from the thread pointer; `None` before glibc 2.35, and where it has
    /// registered none.
    fn offset() -> Option<isize> {
        // Looked up, not linked, so that the program starts with older libraries too.
        let size = symbol::<c_uint>(c"__rseq_size")?;
        let offset = symbol::<isize>(c"__rseq_offset")?;
        // SAFETY: glibc declares both as constants of these types, and has set them before `main`.
        unsafe { (*size > 0).then_some(*offset) }
    }

    fn symbol<T>(name: &CStr) -> Option<*const T> {
        // SAFETY: the name ends with a zero byte, and the handle is one of those that `dlsym` defines.
        let symbol = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
        (!symbol.is_null()).then_some(symbol.cast_const().cast())
    }

    #[cfg(target_arch = "x86_64")]
    #[inline]
    fn thread_pointer() -> *mut u8 {
        let pointer;
        // SAFETY: the ABI of x86-64 keeps the thread pointer at `fs:0`, where every thread may read it.
        unsafe { std::arch::asm!("mov {}, fs:0", out(reg) pointer, options(nostack, preserves_flags, readonly)) };
        pointer
    }

    #[cfg(target_arch = "aarch64")]
    #[inline]
    fn thread_pointer() -> *mut u8 {
        let pointer;
        // SAFETY: the register is the thread pointer by the ABI, and readable in user mode.
        unsafe { std::arch::asm!("mrs {}, tpidr_el0", out(reg) pointer, options(nostack, nomem, preserves_flags)) };
        pointer
    }
}

/// Other C libraries register nothing.
#[cfg(not(all(target_os = "linux", target_env = "gnu", any(target_arch = "x86_64", target_arch = "aarch64"))))]
mod area {
    #[derive(Clone, Copy)]
    pub(super) enum Area {}

    pub(super) fn registered() -> Option<Area> {
        None
    }

    impl Area {
        pub(super) fn arm(self) {
            match self {}
        }

        pub(super) fn is_armed(self) -> bool {
            match self {}
        }

        pub(super) fn cpu(self) -> u32 {
            match self {}
        }
    }
}

/// Sends the calling thread a signal whose handler works for some microseconds. Here, because it takes `unsafe`.
#[cfg(test)]
pub(super) fn interrupt_this_thread() {
    extern "C" fn handler(_: libc::c_int) {
        std::hint::black_box((0..3000_u64).fold(0, |sum, step| std::hint::black_box(sum + step)));
    }
    let handler: extern "C" fn(libc::c_int) = handler;
    // SAFETY: the handler touches nothing but its own stack, and nobody else in these tests cares for the signal.
    unsafe {
        libc::signal(libc::SIGURG, handler as libc::sighandler_t);
        libc::raise(libc::SIGURG);
    }
}

//! Computes the n-th Fibonacci number the slow way, as `fibonacci-recursive` does in Rust: the same
//! calls, so that the joules of two languages can be compared.

const std = @import("std");
const Io = std.Io;

/// The largest n: 866,988,873 calls, some seconds of work.
const n_max = 42;

/// The longest input in bytes, as in the other functions.
const input_bytes_max = 1 << 20;

pub fn main(init: std.process.Init) !u8 {
    const io = init.io;
    var buffer: [1024]u8 = undefined;
    const n = readNumber(init.arena.allocator(), io, &buffer) catch {
        var stderr = Io.File.stderr().writer(io, &buffer);
        try stderr.interface.print("error: expected a whole number from 0 to {d}\n", .{n_max});
        try stderr.interface.flush();
        return 1;
    };
    var stdout = Io.File.stdout().writer(io, &buffer);
    try stdout.interface.print("{d}\n", .{fibonacci(n)});
    try stdout.interface.flush();
    return 0;
}

fn readNumber(allocator: std.mem.Allocator, io: Io, buffer: []u8) !u32 {
    var stdin = Io.File.stdin().reader(io, buffer);
    const input = try stdin.interface.allocRemaining(allocator, .limited(input_bytes_max));
    return parseNumber(input);
}

fn parseNumber(text: []const u8) !u32 {
    const digits = std.mem.trim(u8, text, &std.ascii.whitespace);
    // Zig's own notation allows underscores between digits.
    if (std.mem.findScalar(u8, digits, '_') != null) return error.InvalidCharacter;
    const n = try std.fmt.parseInt(u32, digits, 10);
    return if (n <= n_max) n else error.Overflow;
}

/// An optimiser that may remove tail calls turns one of the two recursions into a loop.
fn fibonacci(n: u32) u32 {
    if (n < 2) return n;
    return @call(.never_tail, fibonacci, .{n - 1}) + @call(.never_tail, fibonacci, .{n - 2});
}

test "the first numbers are right" {
    for ([_]u32{ 0, 1, 1, 2, 3, 5, 8, 13, 21, 34 }, 0..) |number, n| {
        try std.testing.expectEqual(number, fibonacci(@intCast(n)));
    }
}

test "what is no number in range is refused" {
    try std.testing.expectEqual(7, try parseNumber(" +7\n"));
    for ([_][]const u8{ "", "43", "-1", "1.5", "4_2", "seven", "99999999999999999999" }) |text| {
        try std.testing.expect(std.meta.isError(parseNumber(text)));
    }
}

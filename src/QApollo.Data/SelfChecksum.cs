using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace QApollo.Data;

/// <summary>The checksum that a JSON file carries of its own content.</summary>
internal static class SelfChecksum
{
    /// <summary>SHA-256 of the value as JSON, lower-case hexadecimal.</summary>
    /// <param name="value">With an empty checksum.</param>
    public static string Of<T>(T value, JsonTypeInfo<T> type) =>
        Convert.ToHexStringLower(SHA256.HashData(JsonSerializer.SerializeToUtf8Bytes(value, type)));
}

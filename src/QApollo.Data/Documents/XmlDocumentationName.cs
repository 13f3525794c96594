namespace QApollo.Data;

/// <summary>Names people read from documentation ids such as "M:System.Collections.Generic.List`1.#ctor(System.Int32)".</summary>
internal static class XmlDocumentationName
{
    /// <summary>"List.Add", "List constructor", "List": the type and, for a member, the member.</summary>
    public static string Heading(string id)
    {
        ReadOnlySpan<char> name = WithoutParameters(id, out char kind);
        ReadOnlySpan<char> type = name;
        ReadOnlySpan<char> member = default;
        int dot = LastDot(name);
        if (kind is not ('T' or 'N') && dot > 0)
        {
            type = name[..dot];
            member = name[(dot + 1)..];
        }

        string shortType = Plain(type[(LastDot(type) + 1)..]);
        return member switch
        {
            [] => shortType,
            "#ctor" or "#cctor" => $"{shortType} constructor",
            ['o', 'p', '_', .. var operation] => $"{shortType} operator {Plain(operation)}",
            _ => $"{shortType}.{Plain(member)}",
        };
    }

    /// <summary>The last part of a reference; a constructor is called as its type. Null for null.</summary>
    public static string? Short(string? id)
    {
        if (string.IsNullOrEmpty(id))
        {
            return null;
        }

        ReadOnlySpan<char> name = WithoutParameters(id, out _);
        int dot = LastDot(name);
        if (dot > 0 && name[(dot + 1)..] is "#ctor" or "#cctor")
        {
            name = name[..dot];
            dot = LastDot(name);
        }

        return Plain(name[(dot + 1)..]);
    }

    private static int LastDot(ReadOnlySpan<char> name) => name.LastIndexOf('.');

    private static ReadOnlySpan<char> WithoutParameters(ReadOnlySpan<char> id, out char kind)
    {
        kind = 'T';
        if (id.Length > 2 && id[1] == ':')
        {
            kind = id[0];
            id = id[2..];
        }

        int parameters = id.IndexOfAny('(', '~');
        return parameters < 0 ? id : id[..parameters];
    }

    /// <summary>Without generic arity ("List`1") and the marks of explicit implementations ("System#IDisposable#Dispose").</summary>
    private static string Plain(ReadOnlySpan<char> name)
    {
        name = name[(name.LastIndexOf('#') + 1)..];
        int arity = name.IndexOf('`');
        return (arity < 0 ? name : name[..arity]).ToString();
    }
}

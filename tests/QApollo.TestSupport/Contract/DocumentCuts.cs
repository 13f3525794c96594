namespace QApollo.TestSupport.Contract;

/// <summary>How the sequences of a test are cut into documents.</summary>
public enum DocumentCut
{
    /// <summary>One document each.</summary>
    None,

    /// <summary>Every token is a document of its own.</summary>
    EveryToken,

    /// <summary>A second document from the middle on.</summary>
    Halves,

    /// <summary>At multiples of 32: the edges of tiles.</summary>
    AtTiles,

    /// <summary>One token before those.</summary>
    BeforeTiles,

    /// <summary>One token after those.</summary>
    AfterTiles,

    /// <summary>At random places, other ones in each sequence.</summary>
    Random,
}

public static class DocumentCuts
{
    /// <summary>For each token of each sequence, the place in its sequence where its document starts.</summary>
    public static int[] Starts(DocumentCut cut, int batch, int length)
    {
        var random = new Random(batch * 1000 + length);
        int[] starts = new int[batch * length];
        for (int row = 0; row < batch; row++)
        {
            for (int place = 1; place < length; place++)
            {
                bool begins = cut switch
                {
                    DocumentCut.EveryToken => true,
                    DocumentCut.Halves => place == length / 2,
                    DocumentCut.AtTiles => place % 32 == 0,
                    DocumentCut.BeforeTiles => place % 32 == 31,
                    DocumentCut.AfterTiles => place % 32 == 1,
                    DocumentCut.Random => random.Next(20) == 0,
                    _ => false,
                };
                int token = row * length + place;
                starts[token] = begins ? place : starts[token - 1];
            }
        }

        return starts;
    }
}

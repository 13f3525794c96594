namespace QApollo.Runs;

/// <summary>The best validation of a run, and how many there were since.</summary>
public sealed class BestValidation
{
    /// <summary>Completed updates at the best validation.</summary>
    public int Step { get; private set; }

    /// <summary>Its loss in nats; NaN before the first.</summary>
    public double Loss { get; private set; } = double.NaN;

    /// <summary>Validations since, none of which was better.</summary>
    public int Since { get; private set; }

    /// <returns>Whether it is the best so far.</returns>
    public bool Add(int step, double loss)
    {
        if (loss >= Loss)
        {
            Since++;
            return false;
        }

        (Step, Loss, Since) = (step, loss, 0);
        return true;
    }
}
